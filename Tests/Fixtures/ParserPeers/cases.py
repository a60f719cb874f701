"""Makes requests that are right, nearly right or wrong: cases.py SEED COUNT FILE.

Each is put together by the grammar of RFC 9112, with an odd piece here and there; some are then
changed without regard to any grammar. In the file each has its byte count before it, in four bytes
of which the first counts least.
"""

import random
import sys

METHODS = ["GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]
ODD_METHODS = [
    "get", "PROPFIND", "M-SEARCH", "X!#$%&'*+-.^_`|~9", "", " GET", "GET\t", "G@T", "G\x00T", "G\xe9T",
    "M" * 32, "M" * 33, "CONNECT", "CONNECT", "PRI", "\x16\x03\x01", '"GET"',
]
TARGETS = ["/", "/", "/a", "/a/b?c=d&e", "/%20?", "//a//b", "/?a?b", "/a;b=c", "/~a", "/a|b{}\"<>^`\\"]
ODD_TARGETS = [
    "*", "http://host", "http://host/", "HTTP://host:80/a?b", "https://[::1]:443/", "http://host?a",
    "http://", "http:///a", "http://user@host/", "http://ho st/", "http://host:x/", "http://[::1/",
    "ftp://host/", "mailto:a", "a", "?a", "", "/a#b", "/#?b", "/a?b#c", "http://host#a", "/\xe9",
    "/\xc3\xa9", "/\x80", "/\x7f", "/\x01", "/a\tb", "/a b", "*?", "host:80", "[::1]:80", "host",
    "host:", "host:0", ":80", "http:/a", "/%zz", "http://%41/", "http://a_b/", "://a", "x://a/b",
]
ODD_VERSIONS = [
    "HTTP/1.0", "HTTP/1.0", "HTTP/1.0", "HTTP/1.2", "HTTP/0.9", "HTTP/2.0", "HTTP/1.10", "HTTP/01.1",
    "HTTP/1.", "HTTP/.1", "HTTP/1", "http/1.1", "HTTP /1.1", "HTTP/1.1 ", " HTTP/1.1", "HTTP/1.1x",
    "HTTP/-1.1", "HTTP/+1.1", "HTTP/1,1", "HTTP/1.\xb2", "HTTP/1.9", "HTTQ/1.1", "", "ICE/1.0",
]
HOSTS = ["x", "host", "example.com:8080", "127.0.0.1", "[::1]", "[::1]:80", "a-b.c"]
ODD_HOSTS = [
    "", "a b", "a,b", "a:b", "a:80:80", "user@host", "a/b", "[::1", "::1", "[]", "[1:2:3:4:5:6:7:8]",
    "[1:2:3:4:5:6:7]", "[::1.2.3.4]", "[::1.2.3.400]", "[v1.a:b]", "[v.a]", "[fe80::1%25a]", "%41", "%4",
    "a%zz", "a:", ":80", "\xe9", "a\tb", "a;b=c", "a_b", "a?b", "a#b", "a\\b", "(a)", "a:99999",
]
FIELDS = [
    "Accept: */*", "User-Agent: a/1 (b; c)", "X: ", "X:", "X:a", "X: \t a \t", "Cookie: a=b; c=d",
    "A!#$%&'*+-.^_`|~9: b", "X: a,b", "X: \xe9\x80\xff", "Range: bytes=0-1", "X: \x7e!", "X: \"a\\\"b\"",
]
ODD_LINES = [
    "X : a", "X\t: a", " X: a", "\tX: a", ": a", "X", "X a", "X: a\r\n b", "X: a\r\n\tb", "X: a\r\n ",
    "X: a\x00b", "X: a\x01b", "X: a\x7fb", "X\x00: a", "X\x7f: a", "X\xe9: a", "X(): a", "X[]: a", "X@: a",
    "X: a\rb", "X: a\nb", "X: a\r", "X: a\r\r", "\x00: a", "X: \x0b", "X: a\x0c", "X: a\x08", "X:\x1f",
    "Content Length: 3", "Content_Length: 3", "Transfer Encoding: chunked",
]
CONNECTIONS = [
    "close", "keep-alive", "Close", "close, x", "x , close", ",close,", "keep-alive, close", "closed",
    "x", "", "close;a", "\"close\"", "close x", "keep-alive,,", "Keep-Alive",
]
EXPECTS = ["100-continue", "100-Continue", "100-continue, 100-continue", "", "100", "x", "100-continue, x"]
ODD_LENGTHS = [
    "+3", "-3", "0x3", "3 ", " 3", "3, 3", "3,3", "3,", ",3", "3;a", "3.0", "03", "0003", "", "a", "3a", "1_0",
    "9223372036854775807", "9223372036854775808", "18446744073709551619", "3\t", "\x0b3", "\"3\"", "3 3",
    "\xb3", "0" * 15 + "3",
]
ODD_CODINGS = [
    "Chunked", "CHUNKED", "chunked, chunked", "chunked,chunked", "gzip, chunked", "chunked, gzip", "gzip",
    "identity", "identity, chunked", "chunked, identity", "", ",", ", chunked", "chunked,", "chunked;a",
    "chunked;a=b", "chunked ;", " chunked", "chunked\t", "\x0bchunked", "xchunked", "chunkedx", "chunke",
    "\"chunked\"", "chunked chunked", "gzip;a=\"b, chunked", "gzip;a=\",\", chunked", "cow, chunked", "x y, chunked",
    "chunked\r\n ", "chu\r\n nked", "\xffchunked", "chunked, ", "trailers", "@, chunked", "gzip\r\nTransfer-Encoding: chunked",
    "chunked\r\nTransfer-Encoding: gzip", "chunked\r\nTransfer-Encoding: chunked",
]
EXTENSIONS = [
    ";a", ";a=b", ";a=\"b\"", "; a", " ;a", ";a;b", ";a=\"\\\"\"", "\t; a = b", ";a=\"b;c,d\"", ";a=\"\"",
]
ODD_EXTENSIONS = [
    ";", ";a=", ";=b", ";a=\"b", ";a=\"b\nc\"", ";a\nb", ";\x00", ";a=\"\x01\"", ";a=b c", " ", "\t", " a", "x", ",",
    ";a=\"b\"c", ";\xe9", ";a=\"\xe9\"", ";a=\"\\\n\"", ";a\rb", ";a" * 30, "a=b", ";@",
]
ODD_SIZES = [
    "+{}", "-{}", "0x{}", " {}", "{} ", "0{}", "00000000000000000{}", "{}_0", "", "g", "{}h", "\t{}", "1{}",
    "7fffffffffffffff", "8000000000000000", "ffffffffffffffff", "10000000000000003", "\x0b{}", "{}.0",
]
TRAILERS = ["T: u", "A: b\r\nC: d", "Etag: \"a\""]
ODD_TRAILERS = ["Content-Length: 3", "Transfer-Encoding: chunked", "Host: y", "Authorization: a"] + ODD_LINES
ODD_ENDS = ["\n", "\r", "\r\r\n", "\n\r\n", "\r\n ", "", "\r\n\t\r\n", "\n\n", "\x00\r\n"]
ODD_STARTS = ["\r\n", "\r\n\r\n", "\n", "\r", "\r\r\n", " ", "\x00", "\n\r\n", "\t\r\n", "\ufeff"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.oddity = 0

    def one(self, usual, odd):
        return self.random.choice(odd if self.random.random() < self.oddity else usual)

    def end(self):
        return self.random.choice(ODD_ENDS) if self.random.random() < self.oddity / 4 else "\r\n"

    def content(self):
        return "".join(self.random.choices("ab\r\n0\x00\xff", k=self.random.choice([0, 1, 3, 3, 10, 17])))

    def chunk(self, content):
        size = self.one(["{}"], ODD_SIZES).format(f"{len(content):{self.random.choice('xX')}}")
        extension = ""
        if self.random.random() < 0.3:
            extension = self.one(EXTENSIONS, ODD_EXTENSIONS)
        return size + extension + self.end() + content + self.end()

    def chunked(self):
        chunks = [self.chunk(self.content() or "a") for _ in range(self.random.choice([0, 1, 1, 2, 3]))]
        last = self.one(["0"], ["00", "000000000000000000", "0;a=b", "0 ", "-0", "0x0", ""])
        trailer = ""
        if self.random.random() < 0.3:
            trailer = self.one(TRAILERS, ODD_TRAILERS) + self.end()
        return "".join(chunks) + last + self.end() + trailer + self.end()

    def framing(self):
        """Lines, and the body."""
        roll = self.random.random()
        content = self.content()
        length = f"Content-Length: {self.one([len(content)], ODD_LENGTHS)}"
        coding = f"Transfer-Encoding: {self.one(['chunked'], ODD_CODINGS)}"
        if roll < 0.35:
            return [], ""
        if roll < 0.6:
            return [length], content
        if roll < 0.95:
            return [coding], self.chunked()
        if roll < 0.97:
            return [length, self.random.choice([length, "Content-Length: 3"])], content
        lines = [length, coding]
        self.random.shuffle(lines)
        return lines, self.random.choice([content, self.chunked()])

    def request(self):
        line = self.one(METHODS, ODD_METHODS) + self.one([" "], ["  ", "\t", ""])
        line += self.one(TARGETS, ODD_TARGETS) + self.one([" "], ["  ", "\t", ""])
        line += self.one(["HTTP/1.1"], ODD_VERSIONS)
        lines, body = self.framing()
        for _ in range(self.one([1], [0, 0, 2])):
            lines.append(f"{self.one(['Host'], ['host', 'HOST', 'Host '])}:{self.one([' '], ['', '  ', chr(9)])}"
                         f"{self.one(HOSTS, ODD_HOSTS)}")
        lines += self.random.choices(FIELDS, k=self.random.choice([0, 0, 1, 2, 5]))
        if self.random.random() < 0.2:
            lines.append(f"Connection: {self.random.choice(CONNECTIONS)}")
        if self.random.random() < self.oddity:
            lines.append(f"Expect: {self.random.choice(EXPECTS)}")
        if self.random.random() < self.oddity:
            lines.append(self.random.choice(ODD_LINES))
        self.random.shuffle(lines)
        head = self.one([""], ODD_STARTS) if self.random.random() < 0.3 else ""
        return head + "".join(text + self.end() for text in [line, *lines]) + self.end() + body

    def spoiled(self, case):
        for _ in range(self.random.choice([1, 1, 2, 3])):
            place = self.random.randint(0, len(case))
            roll = self.random.random()
            if roll < 0.25:
                case[place:place] = bytes([self.random.choice([0, 9, 10, 13, 32, 44, 58, 59, 127, 200])])
            elif roll < 0.4:
                case[place:place] = bytes([self.random.randrange(256)])
            elif roll < 0.6:
                del case[place : place + self.random.choice([1, 1, 2, 8])]
            elif roll < 0.8 and place < len(case):
                case[place] ^= 1 << self.random.randrange(8)
            elif roll < 0.9:
                case[place:place] = case[place : place + 40]
            else:
                del case[place:]
        return case

    def next(self):
        self.oddity = self.random.choice([0, 0.03, 0.1, 0.1, 0.2])
        case = bytearray(self.request().encode("latin-1", "replace"))
        if self.random.random() < 0.3:
            case = self.spoiled(case)
        if self.random.random() < 0.3:
            case += b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
        return case


def main():
    maker = Maker(int(sys.argv[1]))
    with open(sys.argv[3], "wb") as file:
        for _ in range(int(sys.argv[2])):
            case = maker.next()
            file.write(len(case).to_bytes(4, "little") + case)


main()
