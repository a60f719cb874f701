import Foundation
import HTTP1Files
import Hummingbird
import HummingbirdFiles
import Logging
import NIOCore
import NIOPosix
import SystemPackage

/// One of the servers, or one of those that they are measured beside, for Benchmarks/nio-servers.
@main
enum FileServers {
  enum Kind: String, CaseIterable {
    /// Hummingbird's FileMiddleware with the files of the event loops.
    case hummingbirdFiles = "hummingbird-files"
    /// Hummingbird's FileMiddleware as it comes.
    case hummingbird
    /// The same, with the tasks of a connection on its event loop.
    case hummingbirdOnLoops = "hummingbird-on-loops"
    case http1Files = "http1-files"
    /// NIOHTTP1 with NonBlockingFileIO.
    case http1
  }

  // Not asynchronous: a main thread that Swift parks catches signals that the loops wait for.
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 4, let kind = Kind(rawValue: arguments[1]),
      let port = Int(arguments[3])
    else {
      let kinds = Kind.allCases.map(\.rawValue).joined(separator: "|")
      print("usage: \(arguments[0]) \(kinds) directory port")
      exit(2)
    }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let root = arguments[2]
    switch kind {
    case .http1Files:
      let channel = try FileServer.start(root: FilePath(root), port: port, group: group).wait()
      try channel.closeFuture.wait()
    case .http1:
      let channel = try PeerServer.start(root: root, port: port, group: group).wait()
      try channel.closeFuture.wait()
    case .hummingbirdFiles, .hummingbird, .hummingbirdOnLoops:
      Task {
        do {
          try await runHummingbird(kind, root, port, group)
          exit(0)
        } catch {
          print(error)
          exit(1)
        }
      }
      dispatchMain()
    }
  }

  private static func runHummingbird(
    _ kind: Kind, _ root: String, _ port: Int, _ group: any EventLoopGroup
  ) async throws {
    var logger = Logger(label: "files")
    logger.logLevel = .error
    let router = Router()
    if kind == .hummingbirdFiles {
      router.add(
        middleware: FileMiddleware(
          fileProvider: LoopFiles(root: FilePath(root), eventLoops: group)))
    } else {
      router.add(middleware: FileMiddleware(root, logger: logger))
    }
    let application = Application(
      router: router, server: kind == .hummingbird ? .http1() : .http1OnEventLoops(),
      configuration: .init(address: .hostname("127.0.0.1", port: port)),
      eventLoopGroupProvider: .shared(group), logger: logger)
    try await application.run()
  }
}
