internal import Foundation
internal import Measuring

/// The most memory that `aio-fileserver` has while it takes uploads.
struct UploadMemory {
  let peers: Peers
  let folder: URL

  private static let mebibyte = 1_048_576.0
  private static let rounds = 3

  private struct Load {
    let name: String
    let count: Int
    let byteCount: Int
    /// In mebibytes.
    let limit: Double
  }

  private static let loads = [
    Load(name: "no upload", count: 0, byteCount: 0, limit: 64),
    Load(name: "one upload of 2 GiB", count: 1, byteCount: 2 << 30, limit: 64),
    Load(name: "100 uploads of 64 MiB at once", count: 100, byteCount: 64 << 20, limit: 64 + 25),
  ]

  var row: ProgramRow {
    ProgramRow(
      name: "upload-memory", title: "peak resident memory of aio-fileserver", unit: "MiB",
      contestants: Self.loads.map { load in
        .init(name: load.name, peer: peers.uploadServer(load.name)) { server, _ in
          try measure(server, load)
        }
      },
      matches: Self.loads.map { .init(ours: $0.name, floor: .atMost($0.limit)) },
      note: "The program's and its libraries' own pages are in it. Of 100 uploads each may take "
        + "256 KiB.",
      folder: folder, mostRounds: Self.rounds)
  }

  private func measure(_ server: RunningPeer, _ load: Load) throws -> ProgramRow.Figure {
    let names = (0..<load.count).map { "upload\($0)" }
    // The next round would replace them all, and the disk need not have both.
    defer {
      let own = folder.appendingPathComponent("\(server.port)")
      for name in names {
        try? FileManager.default.removeItem(at: own.appendingPathComponent(name))
      }
    }
    let failed = try Uploads(names, byteCount: load.byteCount, port: server.port).run()
    return .init(value: server.peakMemory / Self.mebibyte, failedCount: Int64(failed))
  }
}
