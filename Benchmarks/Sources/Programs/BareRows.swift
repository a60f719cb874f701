internal import Foundation
internal import Measuring

/// The rows about `ReactorHTTP` itself: a response of six bytes, without a file.
struct BareRows {
  let peers: Peers
  let folder: URL

  /// Of wrk.
  private static let connectionCount = 32

  /// What a browser sends with each request.
  private static let browserHeaders = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5", "Accept-Encoding: gzip, deflate, br, zstd",
    "Referer: http://localhost/index.html", "Connection: keep-alive",
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark",
    "Upgrade-Insecure-Requests: 1", "Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin", "Priority: u=0, i",
  ]

  var all: [ProgramRow] {
    [
      row("bare-plain", "a response of 6 bytes without a file", []),
      row(
        "bare-browser", "a response of 6 bytes to a browser's request", Self.browserHeaders),
    ]
  }

  private func row(_ name: String, _ title: String, _ headers: [String]) -> ProgramRow {
    let servers = [peers.helloServer, peers.evhttp(Name.hello, "hello"), peers.nginxHello]
    return ProgramRow(
      name: name, title: "\(title), wrk with \(Self.connectionCount) connections",
      unit: "requests/s",
      contestants: servers.map { server in
        .init(name: server.name, peer: server) { server, seconds in
          try Wrk.load(
            "http://127.0.0.1:\(server.port)/", headers: headers,
            connectionCount: Self.connectionCount, seconds: seconds)
        }
      },
      matches: servers.dropFirst().map { server in
        .init(
          ours: Name.helloServer, peer: server.name,
          floor: server.name == Name.hello ? .atLeast(1.2) : nil)
      }, note: nil, folder: folder)
  }
}
