"""What h11 makes of each case: see ParserOutcomes.swift for the lines."""

import re
import sys

import h11


def text(fields):
    return b"".join(name.lower() + b":" + value + b"\n" for name, value in fields).hex()


def outcome(case):
    # It skips no empty lines before a request, and takes no target that is not ASCII: those are
    # no differences worth listing, so it is given other bytes.
    request = re.sub(rb"^(\r\n)+", b"", case)
    line = re.match(rb"[^\r\n]*", request)[0]
    target = re.match(rb"\S+ ([!-~\x80-\xff]*[\x80-\xff][!-~\x80-\xff]*)", line)
    given = request
    if target:
        plain = re.sub(rb"[\x80-\xff]", b"~", target[1])
        given = request[: target.start(1)] + plain + request[target.end(1) :]
    connection = h11.Connection(h11.SERVER)
    head, content, trailer, reason = None, b"", [], ""
    state = "I"
    try:
        connection.receive_data(given)
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                content += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                trailer = event.headers
                state = "A"
                break
            else:
                break
    except h11.RemoteProtocolError as error:
        state, reason = "R", f"{error.error_status_hint} {error}"
    if head is None:
        return [state] + [""] * 9 + [reason]
    keeps_alive = connection.their_state is not h11.MUST_CLOSE if state == "A" else ""
    consumed = len(case) - len(connection.trailing_data[0]) if state == "A" else ""
    return [
        "A", head.method.decode(), (target[1] if target else head.target).hex(),
        head.http_version.decode().removeprefix("1."), text(head.headers),
        str(int(keeps_alive)) if state == "A" else "", state, content.hex(), text(trailer),
        str(consumed), reason,
    ]


with open(sys.argv[1], "rb") as file:
    while header := file.read(4):
        case = file.read(int.from_bytes(header, "little"))
        print("\t".join(outcome(case)).replace("\n", " "))
