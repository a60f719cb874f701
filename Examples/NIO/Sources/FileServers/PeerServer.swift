import HTTP1Files
import NIOCore
import NIOHTTP1
import NIOPosix

/// A plain server over `NonBlockingFileIO`, in the way of swift-nio's own example.
enum PeerServer {
  static func start(
    root: String, port: Int, group: any EventLoopGroup
  ) -> EventLoopFuture<any Channel> {
    let io = NonBlockingFileIO(threadPool: .singleton)
    return FileServer.start(port: port, group: group) { _ in PeerHandler(root: root, io) }
  }
}

private final class PeerHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let root: String
  private let io: NonBlockingFileIO
  private var head: HTTPRequestHead?

  init(root: String, _ io: NonBlockingFileIO) {
    self.root = root
    self.io = io
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): self.head = head
    case .body: break
    case .end:
      guard let head = head.take() else { return }
      io.openFile(_deprecatedPath: root + head.uri, eventLoop: context.eventLoop)
        .assumeIsolated().whenComplete { [self] result in
          switch result {
          case .success(let (handle, region)): send(handle, region, context)
          case .failure:
            let headers = HTTPHeaders([("content-length", "0")])
            context.write(
              wrapOutboundOut(.head(.init(version: .http1_1, status: .notFound, headers: headers))),
              promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
          }
        }
    }
  }

  private func send(
    _ handle: NIOFileHandle, _ region: FileRegion, _ context: ChannelHandlerContext
  ) {
    let headers = HTTPHeaders([("content-length", String(region.readableBytes))])
    let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    io.readChunked(
      fileRegion: region, chunkSize: 128 * 1024, allocator: context.channel.allocator,
      eventLoop: context.eventLoop
    ) { chunk in
      let (handler, context) = bound.value
      return context.writeAndFlush(handler.wrapOutboundOut(.body(.byteBuffer(chunk))))
    }.assumeIsolated().whenComplete { [self] result in
      try? handle.close()
      guard case .success = result else { return context.close(promise: nil) }
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
