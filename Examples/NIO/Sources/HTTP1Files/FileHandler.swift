public import NIOCore
public import NIOHTTP1
public import NIOPosixAIO
internal import PosixAIO

/// Serves the files of a directory to one connection. It needs NIO's pipelining assistance, which
/// passes on a request after the response to the one before.
public final class FileHandler: ChannelInboundHandler {
  /// Parts of requests.
  public typealias InboundIn = HTTPServerRequestPart
  /// Parts of responses, whose bodies may be regions of files.
  public typealias OutboundOut = HTTPServerResponsePart

  private let root: LoopDirectory
  private var head: HTTPRequestHead?

  /// - Parameter root: The directory of the files, of the channel's loop. No file outside of it is
  ///   served.
  public init(root: LoopDirectory) {
    self.root = root
  }

  /// Responds when a request has ended.
  public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): self.head = head
    case .body: break
    case .end:
      guard let head = head.take() else { return }
      respond(to: head, context)
    }
  }

  private func respond(to head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    guard let request = FileRequest(head) else {
      return fail(.notFound, head.isKeepAlive, context)
    }
    root.openFile(forReadingAt: request.path)
      .assumeIsolated().whenComplete { [self] result in
        switch result {
        case .success(let file): describe(file, request, context)
        case .failure: fail(.notFound, request.isKeptAlive, context)
        }
      }
  }

  private func describe(
    _ file: LoopFile, _ request: FileRequest, _ context: ChannelHandlerContext
  ) {
    file.info().assumeIsolated().whenComplete { [self] result in
      guard case .success(let status) = result, status.kind == .regular else {
        file.close().whenComplete { _ in }
        return fail(.notFound, request.isKeptAlive, context)
      }
      send(file, status, request, context)
    }
  }

  private func send(
    _ file: LoopFile, _ status: FileStatus, _ request: FileRequest,
    _ context: ChannelHandlerContext
  ) {
    var headers = HTTPHeaders([("accept-ranges", "bytes")])
    let range: Range<Int64>
    let code: HTTPResponseStatus
    switch request.part(of: status.byteCount) {
    case .all: (range, code) = (0..<status.byteCount, .ok)
    case .range(let part):
      (range, code) = (part, .partialContent)
      headers.add(
        name: "content-range",
        value: "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(status.byteCount)")
    case .unsatisfiable:
      file.close().whenComplete { _ in }
      return fail(.rangeNotSatisfiable, request.isKeptAlive, context)
    }
    headers.add(name: "content-length", value: String(range.count))
    if !request.isKeptAlive { headers.add(name: "connection", value: "close") }
    let head = HTTPResponseHead(version: .http1_1, status: code, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    file.send(
      request.isHead ? 0..<0 : range, through: context,
      followedBy: HTTPServerResponsePart.end(nil)
    ) { .body($0) }
    .assumeIsolated().whenComplete { result in
      file.close().whenComplete { _ in }
      // After a failure, the client can only tell by the end of the connection.
      if case .success = result, request.isKeptAlive { return }
      context.close(promise: nil)
    }
  }

  private func fail(
    _ status: HTTPResponseStatus, _ isKeptAlive: Bool, _ context: ChannelHandlerContext
  ) {
    var headers = HTTPHeaders([("content-length", "0")])
    if !isKeptAlive { headers.add(name: "connection", value: "close") }
    let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    if !isKeptAlive { context.close(promise: nil) }
  }

  /// Closes the connection of a client that does not speak HTTP.
  public func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
