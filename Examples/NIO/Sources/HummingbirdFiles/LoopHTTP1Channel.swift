internal import Hummingbird
public import HummingbirdCore
public import Logging
public import NIOCore
internal import NIOPosixAIO

/// A channel of HTTP/1.1 whose tasks run on the channel's event loop, so that nothing hops between
/// threads. Handlers of requests must not block it.
public struct LoopHTTP1Channel: ServerChildChannel {
  /// The channel as Hummingbird's server handles it.
  public typealias Value = HTTP1Channel.Value

  private let channel: HTTP1Channel

  /// - Parameter channel: The same without the loops.
  public init(_ channel: HTTP1Channel) {
    self.channel = channel
  }

  /// Sets up the channel's pipeline.
  public func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    self.channel.setup(channel: channel, logger: logger)
  }

  /// Handles the connection's requests on its event loop.
  public func handle(value: Value, logger: Logger) async {
    await withTaskExecutorPreference(LoopTaskExecutor(value.channel.eventLoop)) {
      await Connection.$channel.withValue(value.channel) {
        await channel.handle(value: value, logger: logger)
      }
    }
  }
}

extension HTTPServerBuilder {
  /// As `http1(configuration:)`, with each connection's tasks on its event loop.
  public static func http1OnEventLoops(
    configuration: HTTP1Channel.Configuration = .init()
  ) -> HTTPServerBuilder {
    .init { LoopHTTP1Channel(HTTP1Channel(responder: $0, configuration: configuration)) }
  }
}

/// The connection of the task's request.
enum Connection {
  @TaskLocal static var channel: (any Channel)?
}
