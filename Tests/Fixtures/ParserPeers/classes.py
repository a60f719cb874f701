"""The classes of differences, each with a test, written without regard to the parser, of whether a
case can be of it. docs/http-parser.md argues each by its name.
"""

import ipaddress
import re

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REG_NAME = rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*"
FUTURE = rb"[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+"
QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
EXTENSION = rb"[ \t]*;[ \t]*" + TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + TOKEN + rb"|" + QUOTED + rb"))?"
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]+)((?:" + EXTENSION + rb")*)\r\n")
LARGEST = 2**63 - 1


class Case:
    """A request, taken apart by its line ends only."""

    def __init__(self, case):
        while case.startswith(b"\r\n"):
            case = case[2:]
        head, _, self.body = case.partition(b"\r\n\r\n")
        self.request = case
        self.request_line, *self.lines = head.split(b"\r\n")
        self.method, _, rest = self.request_line.partition(b" ")
        self.target, _, self.version = rest.partition(b" ")

    def values(self, name):
        parts = [line.partition(b":") for line in self.lines]
        return [value.strip(b" \t") for key, _, value in parts if key.lower() == name]

    def elements(self, name):
        return [element.strip(b" \t") for element in b",".join(self.values(name)).split(b",")]

    def has(self, pattern):
        return re.search(pattern, self.request) is not None

    def chunk_fault(self):
        """The first fault of a chunked body: "line", "size" or "end"; None without one."""
        place = 0
        while digits := re.compile(rb"[0-9A-Fa-f]+").match(self.body, place):
            size = int(digits[0], 16)
            if size > LARGEST:
                return "size"
            line = CHUNK_LINE.match(self.body, place)
            if not line or line[2].startswith((b" ", b"\t")):
                return "line"
            place = line.end() + size + 2
            if size == 0 or place - 2 > len(self.body):
                return None
            if not b"\r\n".startswith(self.body[place - 2 : place]):
                return "end"
        return "line"


def is_authority(text):
    literal = re.fullmatch(rb"\[([^\]]*)\](?::\d*)?", text)
    if not literal:
        return re.fullmatch(REG_NAME + rb"(?::\d*)?", text) is not None
    if re.fullmatch(FUTURE, literal[1]):
        return True
    try:
        ipaddress.IPv6Address(literal[1].decode("latin-1"))
    except ValueError:
        return False
    return b"%" not in literal[1]


def absolute_host(case):
    match = re.match(rb"(?i)https?://([^/?#]*)", case.target)
    return match and match[1]


def is_destination(text):
    host, _, port = text.rpartition(b":")
    return host and is_authority(text) and port.isdigit() and 0 < int(port) < 65536


def codings(case):
    return [element.lower() for element in case.elements(b"transfer-encoding")]


OURS_IS_STRICTER = {
    "400 A carriage return is not followed by a line feed.": lambda case: case.has(rb"\r(?!\n)"),
    "400 A chunk is longer than its size.": lambda case: case.chunk_fault() == "end",
    "400 A field line begins with a space or a tab.": lambda case: case.has(rb"\r\n[ \t]"),
    "400 A field line does not begin with a name and a colon.":
        lambda case: case.has(rb"\r\n(?!\r\n)(?!" + TOKEN + rb":)"),
    "400 A field value contains a control character.": lambda case: case.has(
        rb"\r\n" + TOKEN + rb":[\t -~\x80-\xff]*[\x00-\x08\x0a-\x0c\x0e-\x1f\x7f]"),
    "400 HTTP/1.0 has no Transfer-Encoding.":
        lambda case: case.version == b"HTTP/1.0" and case.values(b"transfer-encoding"),
    "505 Only HTTP/1.1 and HTTP/1.0 are supported.": lambda case:
        re.fullmatch(rb"HTTP/\d+\.\d+", case.version) and case.version[5:] not in (b"1.1", b"1.0"),
    '400 Only OPTIONS may have "*" as its target.':
        lambda case: case.target == b"*" and case.method != b"OPTIONS",
    "400 The Content-Length is not a number.": lambda case:
        any(not re.fullmatch(rb"[0-9]+", value) for value in case.values(b"content-length")),
    "413 The Content-Length is too large.": lambda case:
        any(int(value) > LARGEST for value in case.values(b"content-length")),
    "400 The Host is malformed.":
        lambda case: not all(is_authority(value) for value in case.values(b"host")),
    "400 The Transfer-Encoding must end with chunked, once.":
        lambda case: codings(case).count(b"chunked") != 1 or codings(case)[-1] != b"chunked",
    "400 The Transfer-Encoding is malformed.": lambda case: any(
        not re.fullmatch(TOKEN + rb"(?:[ \t]*;.*)?", coding, re.S) for coding in codings(case)),
    "400 The chunked coding must not have parameters.":
        lambda case: any(re.match(rb"chunked[ \t]*;", coding) for coding in codings(case)),
    "501 The only supported transfer coding is chunked.":
        lambda case: codings(case)[-1] == b"chunked" and len(codings(case)) > 1,
    "400 The header has both Content-Length and Transfer-Encoding.":
        lambda case: case.values(b"content-length") and case.values(b"transfer-encoding"),
    "400 The header has more than one Content-Length.":
        lambda case: len(case.values(b"content-length")) > 1,
    "400 The header has more than one Host.": lambda case: len(case.values(b"host")) > 1,
    "400 The header has no Host.": lambda case: not case.values(b"host"),
    "400 The chunk size line is malformed.": lambda case: case.chunk_fault() == "line",
    "413 The size of a chunk is too large.": lambda case: case.chunk_fault() == "size",
    "501 The method is too long.":
        lambda case: re.match(TOKEN, case.request).end() > 32,
    "417 The only supported expectation is 100-continue.": lambda case:
        any(element.lower() not in (b"", b"100-continue") for element in case.elements(b"expect")),
    "400 The request does not begin with a method and a space.":
        lambda case: not re.match(TOKEN + rb" ", case.request),
    "400 The request line does not end with an HTTP version.":
        lambda case: not re.match(rb"[^ ]* [^ ]* HTTP/\d+\.\d+\r\n", case.request),
    "400 The request line is not a method, a target and a version.":
        lambda case: not re.match(rb"[^ ]* [^\x00- \x7f]+ ", case.request),
    "400 The target is neither a path nor an http or https URL.":
        lambda case: not re.match(rb"(?i)/|\*$|https?://", case.target),
    "400 The target of CONNECT is not a host and a port.":
        lambda case: case.method == b"CONNECT" and not is_destination(case.target),
    "400 The target's host is missing or malformed.": lambda case:
        absolute_host(case) in (b"", None) or absolute_host(case).startswith(b":")
        or not is_authority(absolute_host(case)),
    "400 The trailer has a field that only a header may have.":
        lambda case: re.search(rb"(?i)\r\n(content-length|transfer-encoding|host):", case.body),
}

# By the start of the other's reason.
PEER_IS_STRICTER = {
    "h11": {
        "h11: more than 20 digits of a length":
            ("400", lambda case: case.has(rb"\d{21}|\r\n[0-9A-Fa-f]{21}")),
    },
    "http-parser": {
        "http-parser: a fragment after the host":
            ("HPE_INVALID_URL", lambda case: re.match(rb"(?i)https?://[^/?]*#", case.target)),
    },
}

# Where one of the others has no say.
PEER_HAS_NO_SAY = {
    "http-parser": {
        "http-parser: a name that begins with Transfer-Encoding":
            lambda case: case.has(rb"(?i)transfer-encoding[^:\r\n]+:"),
        "http-parser: CONNECT has no body": lambda case: case.method == b"CONNECT"
            and (case.values(b"content-length") or case.values(b"transfer-encoding")),
    },
}

VALUES_DIFFER = {
    ("h11", "fields"): (
        "h11: the coding in small letters",
        lambda case: any(value != value.lower() for value in case.values(b"transfer-encoding"))),
    ("h11", "persistence"): (
        "h11: keep-alive in HTTP/1.0",
        lambda case: case.version == b"HTTP/1.0"
        and b"keep-alive" in [element.lower() for element in case.elements(b"connection")]),
    ("http-parser", "persistence"): (
        "http-parser: a close that is not the first element of Connection",
        lambda case: b"close" in [element.lower() for element in case.elements(b"connection")[1:]]),
}
