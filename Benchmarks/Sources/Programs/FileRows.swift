internal import Foundation
internal import Measuring

/// The rows about `aio-fileserver`.
struct FileRows {
  let peers: Peers
  let folder: URL

  /// Of wrk, on one thread.
  static let connectionCount = 32

  var all: [ProgramRow] {
    [
      row("4k", "files of 4 KiB", against: Name.pread, floor: .atLeast(0.9)),
      row("64k", "files of 64 KiB", against: Name.nginxThreads, floor: .atLeast(1)),
      row("1m", "files of 1 MiB", against: Name.nginxThreads, floor: .atLeast(1)),
      ColdFiles(peers: peers, folder: folder).row,
    ]
  }

  private func row(_ file: String, _ title: String, against peer: String, floor: Floor)
    -> ProgramRow
  {
    let servers = [
      peers.fileServer, peers.evhttp(Name.pread, "pread"), peers.nginxThreads, peers.nginxSendfile,
    ]
    return ProgramRow(
      name: "files-\(file)",
      title: "\(title), cached, wrk with \(Self.connectionCount) connections", unit: "requests/s",
      contestants: servers.map { server in
        .init(name: server.name, peer: server) { server, seconds in
          try Self.load("http://127.0.0.1:\(server.port)/\(file)", seconds: seconds)
        }
      },
      matches: servers.dropFirst().map { server in
        .init(
          ours: Name.fileServer, peer: server.name, floor: server.name == peer ? floor : nil)
      }, note: nil, folder: folder)
  }

  private static func load(_ url: String, seconds: Double) throws -> ProgramRow.Figure {
    // wrk takes whole seconds.
    let time = "\(max(1, Int(seconds.rounded())))s"
    let text = try Command.output("wrk", ["-t1", "-c\(connectionCount)", "-d\(time)", url])
    let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    guard let rate = lines.first(where: { $0.first == "Requests/sec:" })?.last.flatMap(Double.init),
      let count = lines.first(where: { $0.dropFirst().first == "requests" })?.first
        .flatMap(Double.init)
    else { throw Missing("wrk said something else than expected") }
    let failed = lines.first { $0.starts(with: ["Non-2xx"]) }?.last.flatMap { Int64($0) }
    return .init(value: rate, requestCount: count, failedCount: failed ?? 0)
  }

  /// Makes what is served, unless it is there already.
  static func makeFiles(in root: URL) throws {
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    for (name, byteCount) in [("4k", 4096), ("64k", 65_536), ("1m", 1_048_576)] {
      try make(root.appendingPathComponent(name), byteCount: byteCount)
    }
    for index in 0..<ColdFiles.fileCount {
      try make(root.appendingPathComponent("cold\(index)"), byteCount: ColdFiles.byteCount)
    }
  }

  private static func make(_ file: URL, byteCount: Int) throws {
    let size = try? file.resourceValues(forKeys: [.fileSizeKey]).fileSize
    guard size != byteCount else { return }
    try Data((0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31) }).write(to: file)
  }
}
