internal import Hummingbird
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypesHTTP1
internal import NIOPosixAIO

/// A range of an open file as a response's body.
struct FileBody {
  /// The most bytes of a body that is one buffer, which Hummingbird writes together with the head.
  static let bufferByteCount = 32 * 1024

  private static let chunkByteCount = 128 * 1024

  let file: LoopFile
  let range: Range<Int64>

  /// Closes the file on every path.
  func responseBody() async throws -> ResponseBody {
    guard range.count > Self.bufferByteCount else {
      let buffer: ByteBuffer
      do {
        buffer = try await bytes()
      } catch {
        try? await file.close()
        throw error
      }
      try await file.close()
      return ResponseBody(byteBuffer: buffer)
    }
    return ResponseBody(contentLength: range.count) { [self] writer in
      do {
        if let sent = sendByRegions() {
          _ = try await sent.get()
        } else {
          try await copy(to: &writer)
        }
      } catch {
        try? await file.close()
        throw error
      }
      try await file.close()
      try await writer.finish(nil)
    }
  }

  private func bytes() async throws -> ByteBuffer {
    guard !range.isEmpty else { return ByteBuffer() }
    let buffer = try await file.readChunk(
      fromAbsoluteOffset: range.lowerBound, length: range.count)
    guard buffer.readableBytes == range.count else { throw HTTPError(.internalServerError) }
    return buffer
  }

  /// - Returns: Nil if the task does not run on the event loop of its connection.
  private func sendByRegions() -> EventLoopFuture<Int64>? {
    guard let channel = Connection.channel, channel.eventLoop === file.eventLoop,
      file.eventLoop.inEventLoop,
      // The head was written to it before, and the end comes after.
      let context = try? channel.pipeline.syncOperations.context(
        handlerType: HTTP1ToHTTPServerCodec.self)
    else { return nil }
    return file.send(range, through: context, followedBy: nil as HTTPServerResponsePart?) {
      HTTPServerResponsePart.body($0)
    }
  }

  private func copy(to writer: inout any ResponseBodyWriter) async throws {
    var offset = range.lowerBound
    while offset < range.upperBound {
      let chunk = try await file.readChunk(
        fromAbsoluteOffset: offset,
        length: min(Self.chunkByteCount, Int(range.upperBound - offset)))
      guard chunk.readableBytes > 0 else { throw HTTPError(.internalServerError) }
      offset += Int64(chunk.readableBytes)
      try await writer.write(chunk)
    }
  }
}
