import Testing

@Suite struct BodyRuleTests {
  @Test(arguments: [
    ("0", nil), ("3", nil), ("003", nil), (" 3\t", nil), ("", 400), ("+3", 400), ("-3", 400),
    ("0x3", 400), ("3, 3", 400), ("3,", 400), ("3;a", 400), ("3.0", 400), ("3 3", 400),
    ("3a", 400), ("a", 400), ("\u{b3}", 400), ("\"3\"", 400), ("1_0", 400),
    ("9223372036854775808", 413), ("18446744073709551619", 413),
    ("99999999999999999999999999999999", 413),
  ])
  func lengths(_ length: String, _ status: Int?) {
    let content = length.contains("3") && status == nil ? "abc" : ""
    let head = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length:\(length)\r\n\r\n"
    Rule("9110 8.6", head + content, status).check()
  }

  @Test(arguments: [
    Rule.lines("9112 6.3", "Content-Length: 0\r\nContent-Length: 0", 400),
    .lines("9112 6.3", "Content-Length: 3\r\ncontent-length: 4", 400),
    .lines("9112 6.3", "Content-Length: 3\r\nTransfer-Encoding: chunked", 400),
    .lines("9112 6.3", "Transfer-Encoding: chunked\r\nContent-Length: 3", 400),
    .lines("9112 6.3", "Transfer-Encoding: gzip\r\nContent-Length: 3", 400),
    Rule("9112 6.1", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    Rule("9112 6.1", "GET / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
  ])
  func oneFraming(_ rule: Rule) { rule.check() }

  @Test(arguments: [
    ("chunked", nil), ("Chunked", nil), ("\tCHUNKED \t", nil), ("", 400), (",", 400),
    ("chunked,", 400), (",chunked", 400), ("chunked, chunked", 400),
    ("chunked\r\nTransfer-Encoding: chunked", 400), ("chunked;a", 400), ("chunked;a=b", 400),
    ("chunked ;a", 400), ("gzip", 400), ("identity", 400), ("chunked, gzip", 400),
    ("chunked\r\nTransfer-Encoding: gzip", 400), ("xchunked", 400), ("chunke", 400),
    ("\"chunked\"", 400), ("chunked chunked", 400), ("\u{b}chunked", 400), ("@, chunked", 400),
    ("\u{ff}chunked", 400), ("gzip;a=\"b, chunked", 501), ("gzip, chunked", 501),
    ("gzip\r\nTransfer-Encoding: chunked", 501), ("identity, chunked", 501),
    ("gzip;q=1 , chunked", 501),
  ])
  func codings(_ coding: String, _ status: Int?) {
    let head = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\(coding)\r\n\r\n"
    Rule("9112 6.1", head + "0\r\n\r\n", status).check()
  }

  @Test(arguments: [
    ("3", nil), ("03", nil), ("0000000000000000000003", nil), ("", 400), ("+3", 400), ("-3", 400),
    ("0x3", 400), ("3_0", 400), (" 3", 400), ("\t3", 400), ("3 ", 400), ("3\t", 400), ("3g", 400),
    ("g", 400), ("3.0", 400), ("3,", 400), ("\u{b}3", 400), ("\u{b3}", 400), ("3\u{0}", 400),
    ("8000000000000000", 413), ("ffffffffffffffff", 413), ("10000000000000003", 413),
    ("fffffffffffffffffffffffffffffffff", 413),
  ])
  func chunkSizes(_ size: String, _ status: Int?) {
    Rule.chunks("9112 7.1", "\(size)\r\nabc\r\n0\r\n\r\n", status).check()
  }

  @Test(arguments: [
    (";a", nil), (";a=b", nil), (";a=\"b\"", nil), (";a=\"\"", nil), (";a;b=c;d", nil),
    ("; a = b ; c", nil), (";\ta\t=\t\"b\"\t;c", nil), (";a=\"b;c,d \\\" \\\\ \u{e9}\"", nil),
    (" ;a", 400), (";", 400), (";a;", 400), (";a=", 400), (";=b", 400), (";a=b=c", 400),
    (";a b", 400), (";a ", 400), (";a=b ", 400), (";a=\"b", 400), (";a=\"b\"c", 400),
    (";a=\"b\\", 400), (";\u{e9}", 400), (";a=\"\u{1}\"", 400), (";a\u{0}", 400), ("a=b", 400),
    (";a\n;b", 400), (";a=\"\n\"", 400), (";a=\"\\\n\"", 400), (";a\r;b", 400), (";a=\"\r\"", 400),
  ])
  func chunkExtensions(_ text: String, _ status: Int?) {
    Rule.chunks("9112 7.1.1", "3\(text)\r\nabc\r\n0\r\n\r\n", status).check()
    Rule.chunks("9112 7.1.1", "0\(text)\r\n\r\n", status).check()
  }

  @Test(arguments: [
    Rule.chunks("9112 7.1", "0\r\n\r\n"), .chunks("9112 7.1", "000\r\n\r\n"),
    .chunks("9112 7.1", "aA\r\n\(String(repeating: "x", count: 170))\r\n0\r\n\r\n"),
    .chunks("9112 7.1", "3\r\nabcd\r\n0\r\n\r\n", 400),
    .chunks("9112 7.1", "3\r\nabc0\r\n\r\n", 400), .chunks("9112 7.1", "3\r\nabc\n0\r\n\r\n", 400),
    .chunks("9112 7.1", "3\r\nabc\rx", 400), .chunks("9112 7.1", "3\nabc\r\n0\r\n\r\n", 400),
    .chunks("9112 7.1", "3\rabc\r\n0\r\n\r\n", 400),
    .chunks("9112 7.1", "3\r\nab\r\n0\r\n\r\n", 400),
    .chunks("9112 7.1", "\r\n\r\n", 400), .chunks("9112 7.1", ";a\r\n\r\n", 400),
    .chunks("9112 7.1", "\r\n0\r\n\r\n", 400), .chunks("9112 7.1", "0\n\n", 400),
    .chunks("9112 7.1", "0\r\n\n", 400), .chunks("9112 7.1", "0\r\n\rx", 400),
    .chunks("9112 7.1.2", "0\r\nA: b\r\nC:\r\n\r\n"),
    .chunks("9112 7.1.2", "0\r\nA : b\r\n\r\n", 400),
    .chunks("9112 7.1.2", "0\r\nA: b\r\n c\r\n\r\n", 400),
    .chunks("9112 7.1.2", "0\r\nA\r\n\r\n", 400),
    .chunks("9112 7.1.2", "0\r\nA: b\nC: d\r\n\r\n", 400),
    .chunks("9112 7.1.2", "0\r\nA: \u{0}\r\n\r\n", 400),
    .chunks("9110 6.5.1", "0\r\nContent-Length: 3\r\n\r\n", 400),
    .chunks("9110 6.5.1", "0\r\nA: b\r\nTRANSFER-ENCODING: chunked\r\n\r\n", 400),
    .chunks("9110 6.5.1", "0\r\nhost: y\r\n\r\n", 400),
    .chunks("9110 6.5.1", "0\r\nAuthorization: y\r\n\r\n"),
  ])
  func chunksAndTrailers(_ rule: Rule) { rule.check() }
}
