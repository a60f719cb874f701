internal import PosixAIO

/// A buffer on its way out: the bytes of one `write`, and who wants to know of their fate.
///
/// What the socket does not take at once, libevent holds. When it lets go, the kernel has taken all
/// bytes, or the connection is closed.
@safe
final class OutgoingPiece {
  typealias Completion = (HTTPResponder.Delivery, consuming IOBuffer) -> Void

  /// Of what is to be sent.
  let byteCount: Int

  private let memory: UnsafeMutableRawBufferPointer
  private let exchange: Exchange
  private var completion: Completion?

  init(_ buffer: consuming IOBuffer, _ exchange: Exchange, _ completion: @escaping Completion) {
    byteCount = buffer.count
    unsafe memory = buffer.relinquish()
    self.exchange = exchange
    self.completion = completion
  }

  deinit {
    // Only where the loop ended before it made the call.
    if completion != nil { unsafe memory.deallocate() }
  }

  /// The bytes to send.
  var valid: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(rebasing: memory[..<byteCount])
  }

  /// Nobody needs the memory any more, perhaps in the middle of something.
  func released() {
    if !exchange.isConnectionLost { exchange.sent(byteCount: byteCount) }
    skipped()
  }

  /// There is nobody to send it to, or nothing to send.
  func skipped() {
    let delivery: HTTPResponder.Delivery = exchange.isConnectionLost ? .connectionLost : .sent
    exchange.deferred.add { self.finish(delivery) }
  }

  private func finish(_ delivery: HTTPResponder.Delivery) {
    guard let completion else { return }
    self.completion = nil
    // The memory is an IOBuffer's, taken in `init`, and nobody else has it now.
    completion(delivery, unsafe IOBuffer(adopting: memory, count: byteCount))
  }
}
