#if NIO
  internal import Glibc
  internal import NIOCore

  /// Writes a channel's input to a file, and holds back the channel's reads while too much of it is
  /// being written.
  final class ReceivingHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = NIOAny

    private let receiver: FileReceiver
    private let promise: EventLoopPromise<Int64>
    /// Nil for all input until its end.
    private var missingByteCount: Int64?
    private var isReadHeld = false
    private var isClosedHere = false
    private var hasEnded = false

    init(
      _ receiver: FileReceiver, byteCount: Int64?, _ promise: EventLoopPromise<Int64>
    ) {
      self.receiver = receiver
      self.promise = promise
      missingByteCount = byteCount
    }

    func handlerAdded(context: ChannelHandlerContext) {
      if missingByteCount == 0 { return end(nil, context) }
      // The context is used on its loop only, until `onRoom` is cleared.
      receiver.onRoom = { [self] in mayReadAgain(context) }
      // A channel that is not active yet will be; one that was closed removes its handlers.
      guard context.channel.isActive else { return }
      context.read()
      // What other handlers hold back comes first.
      context.eventLoop.assumeIsolated().execute { [self] in
        if !hasEnded, Self.isAtEndOfInput(context.channel) { end(endOfInput, context) }
      }
    }

    /// Whether the peer has ended its side, and all its bytes were read. NIO tells of it once, and
    /// maybe did so before this handler was there.
    private static func isAtEndOfInput(_ channel: any Channel) -> Bool {
      let result = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable {
        (socket: NIOBSDSocket.Handle) in
        var byte: UInt8 = 0
        return unsafe recv(socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
      }
      return result == 0
    }

    func channelActive(context: ChannelHandlerContext) {
      context.fireChannelActive()
      if !hasEnded { read(context: context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
      end(.canceled, context)
    }

    // MARK: - Input

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard !hasEnded else { return context.fireChannelRead(data) }
      var buffer = unwrapInboundIn(data)
      guard let missing = missingByteCount else { return receiver.write(buffer) }
      let byteCount = Int(min(missing, Int64(buffer.readableBytes)))
      if let bytes = buffer.readSlice(length: byteCount) { receiver.write(bytes) }
      missingByteCount = missing - Int64(byteCount)
      guard missingByteCount == 0 else { return }
      if buffer.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(buffer)) }
      end(nil, context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
      // With autoRead, NIO does the same.
      if !hasEnded { read(context: context) }
      context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
      if hasEnded || receiver.hasRoom { context.read() } else { isReadHeld = true }
    }

    private func mayReadAgain(_ context: ChannelHandlerContext) {
      if let failure = receiver.failure { return end(.file(failure), context) }
      if isReadHeld {
        isReadHeld = false
        context.read()
      }
    }

    // MARK: - The end

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      context.fireUserInboundEventTriggered(event)
      if case .inputClosed? = event as? ChannelEvent { end(endOfInput, context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
      context.fireChannelInactive()
      end(endOfInput, context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      context.fireErrorCaught(error)
      end(.channel(error), context)
    }

    /// Also called when the loop shuts down. More input may have been on its way.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
      if mode != .output { isClosedHere = true }
      context.close(mode: mode, promise: promise)
    }

    /// Nil if the input may end at any time.
    private var endOfInput: FileTransferError.Reason? {
      guard !isClosedHere else { return .channel(ChannelError.ioOnClosedChannel) }
      return missingByteCount == nil ? nil : .endOfInput
    }

    /// The last that happens here: the handler leaves the pipeline, so nothing passes it after
    /// that.
    private func end(_ reason: FileTransferError.Reason?, _ context: ChannelHandlerContext) {
      guard !hasEnded else { return }
      hasEnded = true
      if isReadHeld {
        isReadHeld = false
        context.read()
      }
      receiver.finish(reason) { [promise] in promise.completeWith($0.mapError { $0 }) }
      context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
  }
#endif
