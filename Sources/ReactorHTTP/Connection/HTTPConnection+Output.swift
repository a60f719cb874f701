internal import CLibevent
internal import CLibeventExtra
internal import CReactor
internal import Glibc

// The way of an answer past evhttp. evhttp puts an answer into the bufferevent's output, asks epoll
// whether the socket takes it, is told so in the next turn, and stops asking: that is five system
// calls and a turn of the loop around each `writev`, for a socket that as a rule takes all at once.
// So what the socket takes is sent to it directly, at the end of the turn (`DirectAnswer`), and
// only the rest is left to libevent, which evhttp is then told about.
//
// evhttp takes no notice of an answer before `evhttp_send_reply_end`: for that an empty output
// means that all was sent, and it goes on to the next request. What decides about the connection's
// end (HTTP/1.0, `Connection: close`, an answer without a length) is left to evhttp altogether.
extension HTTPConnection {
  /// Whether evhttp has nothing of its own to send first, as a "100 Continue".
  var isOutputEmpty: Bool { unsafe evbuffer_get_length(bufferevent_get_output(stream)) == 0 }

  /// Has an answer's bytes written by ``send(_:_:)`` alone.
  ///
  /// - Returns: What libevent is to call when it has sent the rest, for ``endDirectAnswer(_:_:)``.
  func beginDirectAnswer() -> bufferevent_data_cb? {
    var (writeCallback, errorCallback): (bufferevent_data_cb?, bufferevent_event_cb?)
    var context: UnsafeMutableRawPointer?
    unsafe bufferevent_getcb(stream, nil, &writeCallback, &errorCallback, &context)
    // evhttp would take the first empty output for the end of the answer.
    unsafe bufferevent_setcb(stream, nil, nil, errorCallback, context)
    return unsafe writeCallback
  }

  /// Ends an answer: evhttp goes on when its last byte is with the kernel.
  func endDirectAnswer(_ request: OpaquePointer, _ writeCallback: bufferevent_data_cb?) {
    var errorCallback: bufferevent_event_cb?
    var context: UnsafeMutableRawPointer?
    unsafe bufferevent_getcb(stream, nil, nil, &errorCallback, &context)
    unsafe bufferevent_setcb(stream, nil, writeCallback, errorCallback, context)
    unsafe evhttp_send_reply_end(request)
  }

  /// Sends what the socket takes at once, and leaves the rest to libevent.
  ///
  /// - Parameters:
  ///   - text: Goes first; copied where it has to wait.
  ///   - piece: Goes behind it, without being copied.
  func send(_ text: [UInt8], _ piece: OutgoingPiece? = nil) {
    noteOutput {
      let output = unsafe bufferevent_get_output(stream)
      let isFirst = unsafe evbuffer_get_length(output) == 0
      let sent = isFirst ? sendNow(text, piece) : 0
      if sent < text.count {
        _ = unsafe text[sent...].withUnsafeBytes {
          unsafe evbuffer_add(output, $0.baseAddress, $0.count)
        }
      }
      if let piece {
        let start = max(0, sent - text.count)
        if start < piece.byteCount {
          unsafe addReference(to: piece, from: start, in: output)
        } else {
          piece.released()
        }
      }
      if unsafe evbuffer_get_length(output) > 0 {
        unsafe bufferevent_enable(stream, Int16(EV_WRITE))
      }
    }
  }

  /// - Returns: The bytes that the socket took. None where it fails, too: libevent then finds the
  ///   error, and reports it where it reports all others.
  private func sendNow(_ text: [UInt8], _ piece: OutgoingPiece?) -> Int {
    let socket = unsafe bufferevent_getfd(stream)
    let count = unsafe text.withUnsafeBytes { text in
      let body = unsafe piece?.valid ?? UnsafeMutableRawBufferPointer(start: nil, count: 0)
      // sendmsg(2) only reads what these point to.
      let head = unsafe UnsafeMutableRawPointer(mutating: text.baseAddress)
      let pieces: InlineArray<2, iovec> = unsafe [
        iovec(iov_base: head, iov_len: text.count),
        iovec(
          iov_base: body.baseAddress, iov_len: min(body.count, Self.maximumByteCountPerWrite)),
      ]
      return unsafe pieces.span.withUnsafeBufferPointer { pieces in
        // There are two.
        guard let first = pieces.baseAddress else { return 0 }
        return unsafe creactor_send(socket, first, pieces.count)
      }
    }
    return max(0, count)
  }
}
