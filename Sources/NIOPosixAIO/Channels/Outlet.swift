#if NIO
  internal import NIOCore

  /// Where the pieces of a send go: a channel's pipeline, or the part of it before a handler. It
  /// belongs to the channel's loop.
  struct Outlet {
    /// Writes a piece, or the message that follows the last one if there is none, and flushes.
    ///
    /// - Parameters:
    ///   - isLast: Whether the message that follows the last piece comes after it.
    typealias Write = (_ piece: IOData?, _ isLast: Bool, EventLoopPromise<Void>?) -> Void

    let eventLoop: any EventLoop
    let write: Write
    /// Closes the channel.
    let close: () -> Void

    init<Message: Sendable>(
      _ channel: any Channel, followedBy last: Message?,
      _ wrap: @escaping (IOData) -> Message
    ) {
      let pipeline = channel.pipeline.syncOperations
      eventLoop = channel.eventLoop
      write = { piece, isLast, promise in
        let last = isLast ? last.map { NIOAny($0) } : nil
        if let piece {
          pipeline.write(NIOAny(wrap(piece)), promise: promise)
        }
        if let last {
          pipeline.write(last, promise: piece == nil ? promise : nil)
        } else if piece == nil {
          promise?.succeed()
        }
        pipeline.flush()
      }
      close = { channel.close(promise: nil) }
    }

    init<Message>(
      _ context: ChannelHandlerContext, followedBy last: Message?,
      _ wrap: @escaping (IOData) -> Message
    ) {
      eventLoop = context.eventLoop
      write = { piece, isLast, promise in
        if let piece {
          context.write(NIOAny(wrap(piece)), promise: promise)
        }
        if isLast, let last {
          context.write(NIOAny(last), promise: piece == nil ? promise : nil)
        } else if piece == nil {
          promise?.succeed()
        }
        context.flush()
      }
      close = { context.close(promise: nil) }
    }
  }
#endif
