internal import PosixAIO
internal import SystemPackage

/// A pump from a source to a file. Input stays at the source until the writer has room.
@safe
final class IncomingPump: PumpDirection {
  private enum State {
    case running
    /// The accepted bytes are being written; then the pump ends.
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
        finish(.connection(source.inputEndReason ?? .local))
      }
    }
    // Until the pump ends, it and the writer keep each other alive.
    writer.onFailure = { [self] _ in writerFailed() }
    if missingByteCount == 0 { finish(nil) } else { wait() }
  }

  func cancel() {
    guard !writer.core.hasEnded else { return }
    writer.core.checkThread()
    guard case .running = state else { return }
    source.stopWaiting()
    finish(.canceled)
  }

  /// Ends the pump at once: the peer may send nothing more, or be held up, so no other event may
  /// come.
  private func writerFailed() {
    guard case .running = state, let failure = writer.failure else { return }
    source.stopWaiting()
    finish(.file(failure))
  }

  private func wait() {
    source.whenReadable { [self] in moveOn() }
  }

  /// A loop instead of recursion, since the peer decides how many pieces there are.
  private func moveOn() {
    while case .running = state {
      if let failure = writer.failure { return finish(.file(failure)) }
      let readable = Int(min(Int64(source.readableByteCount), missingByteCount))
      guard readable > 0 else {
        guard source.hasEnded else { return wait() }
        source.acknowledgeEnd()
        return finish(endReason)
      }
      // At most one write's bytes, so that room for them comes soon.
      let byteCount = min(readable, writer.chunkByteCount)
      guard writer.hasRoom(for: byteCount) else {
        return writer.waitForRoom(byteCount) { [self] _ in moveOn() }
      }
      move(byteCount)
    }
  }

  /// Nil if the source ended as expected.
  private var endReason: PumpError.Reason? {
    let reason = source.inputEndReason ?? .endOfInput
    return mayEndEarlier && reason == .endOfInput ? nil : .connection(reason)
  }

  /// - Parameter byteCount: The number of bytes, which have arrived and for which the writer has
  ///   room.
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

  /// Flushes the accepted bytes, and reports how many were written.
  private func finish(_ reason: PumpError.Reason?) {
    state = .flushing
    writer.onFailure = nil
    writer.flush(durably: isDurable && reason == nil) { [self] result in
      let done = writer.byteCountWritten
      switch (result, reason) {
      case (_, let reason?): handler(.failure(error(reason, done)))
      case (.failure(let failure), nil): handler(.failure(error(.file(failure), done)))
      case (.success, nil): handler(.success(done))
      }
    }
  }

  private func error(_ reason: PumpError.Reason, _ byteCountDone: Int64) -> PumpError {
    PumpError(reason, byteCountDone: byteCountDone)
      .naming(writer.currentFile.path, source.sourceAddress)
  }
}
