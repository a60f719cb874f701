"""Compares outcomes, of which every difference has to be of a class in docs/http-parser.md:
compare.py DOCUMENT CASES OURS H11 HTTP_PARSER.

Ends with status 1 after the first differences of no class, and where ours accepts what both of
the others refuse.
"""

import collections
import sys

from classes import OURS_IS_STRICTER, PEER_HAS_NO_SAY, PEER_IS_STRICTER, VALUES_DIFFER, Case

HEAD, BODY, END, REASON = 0, 6, 9, 10
VALUES = {1: "method", 2: "target", 3: "version", 4: "fields", 5: "persistence", 7: "content",
          8: "trailer", 9: "end"}


def cases(path):
    with open(path, "rb") as file:
        while header := file.read(4):
            yield file.read(int.from_bytes(header, "little"))


def outcomes(path):
    with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
        return [line.rstrip("\n").split("\t") for line in file]


def plain(value, index):
    """Ours has replacement characters for what is not UTF-8, which are left out here."""
    if index not in (2, 4, 8):
        return value
    return bytes.fromhex(value).decode("utf-8", "replace").replace("\ufffd", "")


def stage(outcome):
    """How far it came: A, R and I for the head, and for the body."""
    return outcome[HEAD] + outcome[BODY]


def first_of(classes, case, reason):
    for name, (start, holds) in classes.items():
        if reason.startswith(start) and holds(case):
            return name
    return None


def accepted_more(ours, peer):
    """Whether ours went on where the other has refused."""
    if peer[HEAD] == "R":
        return ours[HEAD] == "A"
    return ours[HEAD] == "A" and peer[BODY] == "R" and ours[BODY] != "R"


def silenced(case, name):
    """The class by which the other has no say."""
    classes = PEER_HAS_NO_SAY.get(name, {}).items()
    return next((found for found, holds in classes if holds(case)), None)


def differences(case, ours, peer, name):
    """The names of the classes; None for one of no class."""
    if silenced(case, name):
        if stage(ours) != stage(peer) or ours[END] != peer[END]:
            yield silenced(case, name)
    elif stage(ours) == stage(peer) == "AA":
        for index in VALUES:
            if plain(ours[index], index) != plain(peer[index], index):
                found, holds = VALUES_DIFFER.get((name, VALUES[index]), (None, None))
                yield found if found and holds(case) else None
    elif accepted_more(ours, peer):
        yield first_of(PEER_IS_STRICTER[name], case, peer[REASON])
    elif "R" in stage(ours) and "R" not in stage(peer):
        holds = OURS_IS_STRICTER.get(ours[REASON])
        yield ours[REASON] if holds and holds(case) else None
    elif stage(ours) != stage(peer):
        # Both refuse, one of them earlier; or one waits for more.
        refused = [one for one in (ours, peer) if "R" in stage(one)]
        yield "when it is refused" if refused else None


def main():
    document = open(sys.argv[1], encoding="utf-8").read()
    counts = collections.Counter()
    failures = []
    same = 0
    table = zip(cases(sys.argv[2]), *[outcomes(path) for path in sys.argv[3:6]], strict=True)
    for total, (request, ours, *peers) in enumerate(table, 1):
        case = Case(request)
        named = list(zip(peers, ["h11", "http-parser"]))
        found = [list(differences(case, ours, peer, name)) for peer, name in named]
        if all(accepted_more(ours, peer) and not silenced(case, name) for peer, name in named):
            failures.append(("both refuse it", request, ours, *peers))
        elif None in found[0] + found[1]:
            failures.append(("of no class", request, ours, *peers))
        counts.update(set(found[0] + found[1]) - {None})
        same += not any(found)
    print(f"{same:7} the same to all three")
    for name, count in counts.most_common():
        print(f"{count:7} {name}")
        # The document has the status apart.
        if name.lstrip("0123456789 ") not in document:
            failures.append((f"the document lacks: {name}",))
    for failure in failures[:20]:
        print("\n", *failure, sep="\n  ", file=sys.stderr)
    print(f"{total - len(failures)} passed, {len(failures)} failed")
    sys.exit(1 if failures else 0)


main()
