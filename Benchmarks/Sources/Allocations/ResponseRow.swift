internal import Foundation
internal import Measuring

/// Heap allocations per HTTP response in the steady state, in all threads of the server.
struct ResponseRow {
  /// Where the package's programs are.
  let programs: URL
  /// For files.
  let folder: URL

  private static let requestCount = 2000
  private static let fileByteCount = 4096

  /// - Throws: ``CountedServer/Failure`` where a program was not built.
  func measure(rounds: Int) throws -> RowResult {
    let root = folder.appendingPathComponent("responses")
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    try Data(count: Self.fileByteCount).write(to: root.appendingPathComponent("4k"))
    let files = try figures(rounds, "/4k") {
      try CountedServer(
        programs.appendingPathComponent("aio-fileserver"),
        // Not opened anew after a second: how many requests that is, is the machine's.
        ["--root", root.path, "--port", "0", "--open-file-validity", "3600"], folder: folder)
    }
    let bare = try figures(rounds, "/") {
      try CountedServer(
        CountedServer.siblings.appendingPathComponent("hello-server"), ["0"], folder: folder)
    }
    return AllocationRow.result(
      name: "responses", title: "heap allocations per HTTP response, steady state",
      [
        ("response with a file of 4 KiB", AllocationLimits.fileResponse, files),
        ("response without a file", AllocationLimits.bareResponse, bare),
      ],
      note: "Of all threads of a server that is a process of its own. One client asks again and "
        + "again on one connection, with a `Host` alone.")
  }

  private func figures(
    _ rounds: Int, _ target: String, _ start: () throws -> CountedServer
  ) throws -> [Double] {
    try (0..<rounds).map { _ in
      try start().allocationsPerRequest(target, requestCount: Self.requestCount)
    }
  }
}
