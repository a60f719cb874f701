import Testing

@Suite struct HeadRuleTests {
  @Test(arguments: [
    Rule("9112 2.2", "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    Rule("9112 2.2", "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 2.2", "\rGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 2.2", "\r\n GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 2.2", "GET / HTTP/1.1\nHost: x\n\n", 400),
    Rule("9112 2.2", "GET / HTTP/1.1\rHost: x\r\r", 400),
    Rule("9112 2.2", "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", 400),
    Rule("9112 2.2", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    Rule("9112 3", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 3", "GET /  HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 3", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400),
    Rule("9112 3", " GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 3", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 3", "GET /\tHTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 3", "GET / HTTP/1.1 x\r\nHost: x\r\n\r\n", 400),
    Rule("9112 3", " / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 3", "GET  HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 3", "GET /\r\n\r\n", 400),
    Rule("9112 3", "GET\r\n\r\n", 400),
    Rule("9112 3", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", 400),
    Rule("9112 3.1", "X!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: x\r\n\r\n"),
    Rule("9112 3.1", "get / HTTP/1.1\r\nHost: x\r\n\r\n"),
    Rule("9112 3.1", "G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 3.1", "G\u{e9}T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 3.1", "G\u{0}T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    Rule("9112 3", String(repeating: "M", count: 32) + " / HTTP/1.1\r\nHost: x\r\n\r\n"),
    Rule("9112 3", String(repeating: "M", count: 33), 501),
  ])
  func requestLines(_ rule: Rule) { rule.check() }

  @Test(arguments: [
    ("HTTP/1.0", nil), ("HTTP/1.1", nil), ("HTTP/1.2", 505), ("HTTP/1.9", 505), ("HTTP/0.9", 505),
    ("HTTP/2.0", 505), ("HTTP/1.10", 505), ("HTTP/01.1", 505), ("HTTP/11.1", 505),
    ("HTTP/1.", 400), ("HTTP/.1", 400), ("HTTP/1", 400), ("HTTP/", 400), ("http/1.1", 400),
    ("HTTP/-1.1", 400), ("HTTP/+1.1", 400), ("HTTP/1.1.1", 400), ("HTTP/1,1", 400),
    ("HTTP/1.x", 400), ("HTTP/ 1.1", 400), ("HTTP\\1.1", 400), ("HTTPS/1.1", 400), ("", 400),
    ("XHTTP/1.1", 400), ("HTTP/1.\u{b2}", 400), ("HTTP/1.1\u{0}", 400),
  ])
  func versions(_ version: String, _ status: Int?) {
    Rule("9112 2.3", "GET / \(version)\r\nHost: x\r\n\r\n", status).check()
  }

  @Test(arguments: [
    ("GET", "/", nil), ("GET", "//a//b", nil), ("GET", "/%20?%zz", nil), ("GET", "/\u{e9}", nil),
    ("GET", "/a#b", nil), ("GET", "/|{}\"<>^`\\", nil), ("GET", "http://h", nil),
    ("GET", "HtTpS://h:8080/a?b#c", nil), ("GET", "http://[::1]:80/", nil),
    ("GET", "http://h?a", nil), ("OPTIONS", "*", nil), ("CONNECT", "h:443", nil),
    ("CONNECT", "[::1]:1", nil), ("GET", "/\u{7f}", 400), ("GET", "/\u{0}", 400),
    ("GET", "/\u{1f}", 400), ("GET", "a", 400), ("GET", "?a", 400), ("GET", "#a", 400),
    ("GET", "*", 400), ("OPTIONS", "*?a", 400), ("OPTIONS", "**", 400), ("GET", "ftp://h/", 400),
    ("GET", "http:/h", 400), ("GET", "http:h", 400), ("GET", "http://", 400),
    ("GET", "http:///a", 400), ("GET", "http://:80/", 400), ("GET", "http://a@h/", 400),
    ("GET", "http://h:x/", 400), ("GET", "http://[::1/", 400), ("GET", "http://h\\/", 400),
    ("GET", "h:443", 400), ("CONNECT", "/", 400), ("CONNECT", "h", 400), ("CONNECT", "h:", 400),
    ("CONNECT", "h:0", 400), ("CONNECT", "h:65536", 400), ("CONNECT", ":443", 400),
    ("CONNECT", "http://h:443/", 400), ("CONNECT", "*", 400), ("CONNECT", "h:443/", 400),
    ("CONNECT", "h:99999999999999999999", 400),
  ])
  func targets(_ method: String, _ target: String, _ status: Int?) {
    Rule("9112 3.2", "\(method) \(target) HTTP/1.1\r\nHost: x\r\n\r\n", status).check()
  }

  @Test(arguments: [
    Rule.lines("9112 5", "A: b"), .lines("9112 5", "A:b"), .lines("9112 5", "A:"),
    .lines("9112 5", "A: \t b c \t"), .lines("9112 5.1", "A : b", 400),
    .lines("9112 5.1", "A\t: b", 400), .lines("9112 5.1", "A b: c", 400),
    .lines("9112 5.1", ": b", 400), .lines("9112 5.1", "A", 400),
    .lines("9112 5.1", "X!#$%&'*+-.^_`|~9: b"), .lines("9112 5.1", "A(: b", 400),
    .lines("9112 5.1", "\u{e9}: b", 400), .lines("9112 5.1", "A\u{0}: b", 400),
    .lines("9112 5.2", "A: b\r\n c", 400), .lines("9112 5.2", "A: b\r\n\tc", 400),
    .lines("9112 5.2", "A: b\r\n ", 400), .lines("9110 5.5", "A: \u{80}\u{e9}\u{ff}~!\""),
    .lines("9110 5.5", "A: b\u{0}c", 400), .lines("9110 5.5", "A: b\u{7f}c", 400),
    .lines("9110 5.5", "A: b\u{1f}c", 400), .lines("9110 5.5", "A: b\u{b}", 400),
    .lines("9112 2.2", "A: b\nB: c", 400), .lines("9112 2.2", "A: b\rB: c", 400),
    .lines("9112 2.2", "A: b\r\rB: c", 400), .lines("9112 2.2", "A: b\r\n\n", 400),
    .lines("9112 2.2", "A: b\r\n\rGET", 400), .lines("9112 2.2", "A: b\r", 400),
    .lines("9110 10.1.1", "Expect: 100-continue"), .lines("9110 10.1.1", "Expect: 100-Continue"),
    .lines("9110 10.1.1", "Expect:"), .lines("9110 10.1.1", "Expect: 100-continue, x", 417),
    .lines("9110 10.1.1", "Expect: 100-continue\r\nExpect: x=y", 417),
    .lines("9110 10.1.1", "Expect: 100", 417),
  ])
  func fieldLines(_ rule: Rule) { rule.check() }

  @Test func oneHost() {
    Rule("9112 3.2", "GET / HTTP/1.1\r\n\r\n", 400).check()
    Rule("9112 3.2", "GET http://h/ HTTP/1.1\r\n\r\n", 400).check()
    Rule("9112 3.2", "GET / HTTP/1.0\r\n\r\n").check()
    Rule("9112 3.2", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400).check()
    Rule("9112 3.2", "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400).check()
    Rule("9112 3.2", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", 400).check()
    Rule("9112 3.2", "GET http://h/ HTTP/1.1\r\nHost: a/b\r\n\r\n", 400).check()
  }

  @Test(arguments: [
    "", "h", "h:", "h:80", ":80", "a.b-c_d~e", "%41%2f", "!$&'()*+,;=", "127.0.0.1:8080",
    "1.2.3", "[::]", "[::1]:80", "[1:2:3:4:5:6:7:8]", "[1::8]", "[1:2:3:4:5:6:7::]",
    "[::2:3:4:5:6:7:8]", "[::ffff:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", "[fE80::aB]", "[v1.a:b]",
    "[VF.!]",
  ])
  func hosts(_ host: String) {
    Rule("9110 7.2", "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").check()
  }

  @Test(arguments: [
    "a b", "a\tb", "a,b c", "a/b", "a?b", "a#b", "a@b", "a\\b", "a\"b", "a<b", "a:b", "a:8 0",
    "a:80:80", "a:-1", "%4", "%", "%zz", "\u{e9}", "::1", "[::1", "::1]", "[]", "[::1]a", "[::1]:a",
    "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7:8::]", "[::1::2]", "[:::]", "[:1]",
    "[1:]", "[12345::]", "[g::]", "[1.2.3.4]", "[::1.2.3]", "[::1.2.3.4.5]", "[::1.2.3.256]",
    "[::01.2.3.4]", "[::1.2.3.4:5]", "[1:2:3:4:5:6:7:1.2.3.4]", "[fe80::1%25a]", "[v.a]", "[v1.]",
    "[v1a]", "[vg.a]", "[v1.a/]", "[::1]]", "[[::1]]",
  ])
  func malformedHosts(_ host: String) {
    Rule("9110 7.2", "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n", 400).check()
  }
}
