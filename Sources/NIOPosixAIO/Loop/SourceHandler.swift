#if NIO
  internal import NIOCore
  internal import PosixAIO

  /// Passes on what NIO reads from a source of the queue.
  final class SourceHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// The sources that the loop watches.
    ///
    /// In debug builds, NIO asserts that a readable descriptor has something to read. That is not
    /// true of a signalfd, so there the signal is not blocked on the loop's thread, and its handler
    /// writes to the pipe.
    static var sources: [CompletionQueue.Source] {
      #if DEBUG
        [.pipe, .timer]
      #else
        [.signals, .pipe, .timer]
      #endif
    }

    private let source: CompletionQueue.Source
    private let owner: LoopQueue

    init(_ source: CompletionQueue.Source, _ owner: LoopQueue) {
      self.source = source
      self.owner = owner
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let bytes = unwrapInboundIn(data)
      owner.queue.received(bytes.readableBytesSpan, from: source)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
      owner.wasRead(source)
    }

    func channelInactive(context: ChannelHandlerContext) {
      owner.end()
    }
  }
#endif
