public import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOPosixAIO
public import SystemPackage

/// A file server over HTTP/1.1.
public enum FileServer {
  /// Listens on the loopback address.
  ///
  /// - Parameters:
  ///   - root: The directory of the files.
  ///   - port: 0 for any.
  ///   - group: Of `NIOPosix`. Each connection and its files stay on one of its loops.
  /// - Returns: The listening channel.
  public static func start(
    root: FilePath, port: Int, group: any EventLoopGroup
  ) -> EventLoopFuture<any Channel> {
    let opened = group.makeIterator().map { eventLoop in
      LoopFileSystem(on: eventLoop).openDirectory(at: root).map {
        (ObjectIdentifier(eventLoop), $0)
      }
    }
    return EventLoopFuture.whenAllSucceed(Array(opened), on: group.any()).flatMap { opened in
      let roots = Dictionary(uniqueKeysWithValues: opened)
      return start(port: port, group: group) { eventLoop in
        guard let root = roots[ObjectIdentifier(eventLoop)] else {
          preconditionFailure("FileServer: a connection is on a loop of another group")
        }
        return FileHandler(root: root)
      }
    }
  }

  package static func start(
    port: Int, group: any EventLoopGroup,
    _ makeHandler: @escaping @Sendable (any EventLoop) -> any ChannelHandler
  ) -> EventLoopFuture<any Channel> {
    ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 256)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(makeHandler(channel.eventLoop))
        }
      }
      .bind(host: "127.0.0.1", port: port)
  }
}
