internal import PosixAIO
internal import SystemPackage

/// From a source to a file. What has arrived stays with the source until the writer has room.
@safe
final class IncomingPump: PumpWay {
  private enum State {
    case running
    /// What was accepted is being written; then that is all.
    case flushing
  }

  private let source: any ByteSource
  private let writer: FileWriter
  private let mayEndEarlier: Bool
  private let isDurable: Bool
  private let handler: Pump.Handler
  private var state = State.running
  private var missingByteCount: Int64

  init(
    _ source: any ByteSource, to writer: FileWriter, byteCount: Int64, mayEndEarlier: Bool,
    durably: Bool, _ handler: @escaping Pump.Handler
  ) {
    self.source = source
    self.writer = writer
    self.mayEndEarlier = mayEndEarlier
    isDurable = durably
    self.handler = handler
    missingByteCount = byteCount
  }

  func start() {
    guard writer.core.refusal == nil else {
      return writer.core.complete { [self] in
        finish(.connection(source.closeReason ?? .local))
      }
    }
    // Until it is done, the pump and the writer keep each other.
    writer.onFailure = { [self] in writerFailed() }
    if missingByteCount == 0 { finish(nil) } else { wait() }
  }

  func cancel() {
    guard !writer.core.hasEnded else { return }
    writer.core.checkThread()
    guard case .running = state else { return }
    source.stopWaiting()
    finish(.canceled)
  }

  /// The peer may have nothing more to send, or be held up, and would not be heard of again.
  private func writerFailed() {
    guard case .running = state, let failure = writer.failure else { return }
    source.stopWaiting()
    finish(.file(failure))
  }

  private func wait() {
    source.whenReadable { [self] in moveOn() }
  }

  /// In a loop: the peer says how many pieces there are.
  private func moveOn() {
    while case .running = state {
      if let failure = writer.failure { return finish(.file(failure)) }
      let readable = Int(min(Int64(source.readableByteCount), missingByteCount))
      guard readable > 0 else {
        guard source.hasEnded else { return wait() }
        source.acknowledgeEnd()
        return finish(endReason)
      }
      // No more than a write takes, so that room for it comes soon.
      let byteCount = min(readable, writer.chunkByteCount)
      guard writer.hasRoom(for: byteCount) else {
        return writer.waitForRoom(byteCount) { [self] _ in moveOn() }
      }
      move(byteCount)
    }
  }

  /// Nil if the source has ended as it should.
  private var endReason: PumpError.Reason? {
    let reason = source.closeReason ?? .endOfInput
    return mayEndEarlier && reason == .endOfInput ? nil : .connection(reason)
  }

  /// - Parameter byteCount: What has arrived, and the writer has room for.
  private func move(_ byteCount: Int) {
    var failure: Errno?
    source.consume { bytes in
      do throws(Errno) {
        try writer.write(bytes.extracting(first: byteCount))
        return byteCount
      } catch {
        failure = error
        return 0
      }
    }
    if let failure {
      let error = FileError(operation: .write, path: writer.file.path, errno: failure)
      return finish(.file(writer.failure ?? error))
    }
    missingByteCount -= Int64(byteCount)
    if missingByteCount == 0 { finish(nil) }
  }

  /// Has what was accepted written, and says how much that was.
  private func finish(_ reason: PumpError.Reason?) {
    state = .flushing
    writer.onFailure = nil
    writer.flush(durably: isDurable && reason == nil) { [self] result in
      let done = writer.byteCountWritten
      switch (result, reason) {
      case (_, let reason?): handler(.failure(PumpError(reason, byteCountDone: done)))
      case (.failure(let error), nil):
        handler(.failure(PumpError(.file(error), byteCountDone: done)))
      case (.success, nil): handler(.success(done))
      }
    }
  }
}
