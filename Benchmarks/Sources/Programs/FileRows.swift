internal import Foundation
internal import Measuring

/// The rows about `aio-fileserver`.
struct FileRows {
  let peers: Peers
  let folder: URL

  /// Of wrk.
  static let connectionCount = 32

  var all: [ProgramRow] {
    [
      row("4k", "files of 4 KiB", [Name.nginxSendfile: 1, Name.pread: 1.5]),
      row("64k", "files of 64 KiB", [Name.nginxSendfile: 1]),
      row("1m", "files of 1 MiB", [Name.nginxSendfile: 1]),
      ColdFiles(peers: peers, folder: folder).row,
    ]
  }

  /// - Parameter floors: At least so many times the requests per second of each of these.
  private func row(_ file: String, _ title: String, _ floors: [String: Double]) -> ProgramRow {
    let servers = [
      peers.fileServer, peers.nginxSendfile, peers.nginxSendfileThreads, peers.nginxThreads,
      peers.evhttp(Name.pread, "pread"),
    ]
    return ProgramRow(
      name: "files-\(file)",
      title: "\(title), cached, wrk with \(Self.connectionCount) connections", unit: "requests/s",
      contestants: servers.map { server in
        .init(name: server.name, peer: server) { server, seconds in
          try Wrk.load(
            "http://127.0.0.1:\(server.port)/\(file)", connectionCount: Self.connectionCount,
            seconds: seconds)
        }
      },
      matches: servers.dropFirst().map { server in
        .init(
          ours: Name.fileServer, peer: server.name,
          floor: floors[server.name].map { .atLeast($0) })
      }, note: nil, folder: folder)
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
