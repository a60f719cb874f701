internal import Foundation
internal import Measuring
internal import Synchronization

/// How long a connection waits for a response that needs no file, while others fetch files that are
/// on the disk alone: what it waits longer than otherwise, the server's loop has waited for the
/// disk.
struct ColdFiles {
  let peers: Peers
  let folder: URL

  /// More than enough that each is read once in a round.
  static let fileCount = 512
  static let byteCount = 128 * 1024
  private static let fetcherCount = 1

  var row: ProgramRow {
    let servers = [
      peers.fileServer, peers.nginxThreads, peers.nginxSendfileThreads, peers.nginxSendfile,
      peers.evhttp(Name.pread, "pread"),
    ]
    return ProgramRow(
      name: "cold-echo",
      title: "99 of 100 responses that need no file, alone and beside cold files of 128 KiB",
      unit: "µs",
      contestants: servers.flatMap { server in
        [false, true].map { isBeside in
          .init(name: Self.name(server, isBeside), peer: server) { server, seconds in
            try measure(server, besideColdFiles: isBeside, seconds: seconds)
          }
        }
      },
      matches: servers.map { server in
        .init(
          ours: Self.name(server, true), peer: Self.name(server, false),
          floor: server.name == Name.fileServer ? .atMost(2) : nil)
      }
        + servers.dropFirst().map { server in
          .init(
            ours: Self.name(servers[0], true), peer: Self.name(server, true),
            floor: server.name == Name.nginxThreads ? .atMost(1) : nil)
        },
      note: "A client fetches one file after the other, each dropped from the page cache before it "
        + "is asked for. `DELETE /`, which all of them refuse at once, is what is timed.",
      folder: folder)
  }

  private static func name(_ server: Peer, _ isBeside: Bool) -> String {
    server.name + (isBeside ? ", beside" : ", alone")
  }

  private func measure(
    _ server: RunningPeer, besideColdFiles: Bool, seconds: Double
  ) throws -> ProgramRow.Figure {
    let isOver = Flag()
    let count = besideColdFiles ? Self.fetcherCount : 0
    let fetchers = (0..<count).map { index in
      Fetcher(port: server.port, root: peers.root, first: index, step: count, isOver)
    }
    defer {
      isOver.set()
      fetchers.forEach { $0.waitForEnd() }
    }
    let client = try BlockingClient(port: server.port)
    var times: [Double] = []
    let start = ContinuousClock.now
    while true {
      let before = ContinuousClock.now
      guard before - start < .seconds(seconds) else { break }
      let status = try client.ask("DELETE", "/")
      guard status == 405 else { throw Missing("the server answered \(status) where 405 is due") }
      times.append((ContinuousClock.now - before) / .microseconds(1))
    }
    let failed = fetchers.map(\.failedCount).reduce(0, +)
    return .init(value: times.sorted()[times.count * 99 / 100], failedCount: failed)
  }
}

/// What is said once, and asked by several threads.
private final class Flag: Sendable {
  private let value = Atomic(false)

  var isSet: Bool { value.load(ordering: .acquiring) }

  func set() { value.store(true, ordering: .releasing) }
}

/// A thread that fetches files, each of which it drops from the page cache before.
private final class Fetcher: Sendable {
  private let ended = DispatchSemaphore(value: 0)
  private let failures = Atomic<Int64>(0)

  init(port: UInt16, root: URL, first: Int, step: Int, _ isOver: Flag) {
    let thread = Thread { [self] in
      var index = first
      do {
        let client = try BlockingClient(port: port)
        while !isOver.isSet {
          let name = "cold\(index % ColdFiles.fileCount)"
          Self.drop(root.appendingPathComponent(name).path)
          if try client.ask("GET", "/" + name) != 200 { failures.add(1, ordering: .relaxed) }
          index += step
        }
      } catch {
        failures.add(1, ordering: .relaxed)
      }
      ended.signal()
    }
    thread.start()
  }

  var failedCount: Int64 { failures.load(ordering: .relaxed) }

  func waitForEnd() { ended.wait() }

  private static func drop(_ path: String) {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
    close(file)
  }
}
