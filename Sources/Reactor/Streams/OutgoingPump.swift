internal import PosixAIO
internal import SystemPackage

/// From a file to a sink. One chunk at a time is given to the sink, and the next one when little of
/// that is left.
@safe
final class OutgoingPump: PumpWay {
  private enum State {
    case running
    /// What was given is on its way; then that is all.
    case settling(PumpError.Reason?)
    case over
  }

  private let reader: FileReader
  private let sink: any ByteSink
  private let handler: Pump.Handler
  private var state = State.running
  private var givenByteCount: Int64 = 0

  init(_ reader: FileReader, to sink: any ByteSink, _ handler: @escaping Pump.Handler) {
    self.reader = reader
    self.sink = sink
    self.handler = handler
  }

  func start() {
    waitForSink { [self] in readNext() }
  }

  func cancel() {
    let core = reader.file.core
    guard !core.hasEnded else { return }
    core.checkThread()
    core.later { [self] in finish(.canceled) }
  }

  private func waitForSink(_ next: @escaping () -> Void) {
    sink.whenPending(atMost: sink.pumpByteCount) { [self] in
      guard case .running = state else { return }
      guard sink.acceptsBytes else { return settle(sinkReason) }
      if sink.pendingByteCount > sink.pumpByteCount { waitForSink(next) } else { next() }
    }
  }

  private func readNext() {
    reader.next { [self] result in
      guard case .running = state else { return }
      switch consume result {
      case .failure(let error): settle(.file(error))
      case .success(nil): settle(nil)
      case .success(let chunk?):
        let held = Held(chunk)
        // Somebody else may have written meanwhile.
        if sink.acceptsBytes, sink.pendingByteCount <= sink.pumpByteCount {
          give(held)
        } else {
          waitForSink { [self] in give(held) }
        }
      }
    }
  }

  private func give(_ held: Held<IOBuffer>) {
    guard let chunk = held.take() else { return }
    let byteCount = Int64(chunk.count)
    do throws(Errno) {
      try sink.write(chunk)
    } catch {
      return settle(.connection(.failed(error)))
    }
    givenByteCount += byteCount
    waitForSink { [self] in readNext() }
  }

  /// Waits until what was given has got there, or never will.
  private func settle(_ reason: PumpError.Reason?) {
    state = .settling(reason)
    waitUntilSent()
  }

  private func waitUntilSent() {
    sink.whenPending(atMost: 0) { [self] in
      guard case .settling(let reason) = state else { return }
      if sink.closeReason == nil, sink.pendingByteCount > 0 { return waitUntilSent() }
      // All may have been given, and still not have got there.
      let isLost = sink.pendingByteCount > 0
      finish(isLost ? sinkReason : reason)
    }
  }

  private var sinkReason: PumpError.Reason {
    // Without a reason it is about to close, or its output was ended, from this side.
    .connection(sink.closeReason ?? .local)
  }

  private func finish(_ reason: PumpError.Reason?) {
    if case .over = state { return }
    state = .over
    reader.cancel()
    let doneCount = givenByteCount - min(givenByteCount, Int64(sink.pendingByteCount))
    if let reason {
      handler(.failure(PumpError(reason, byteCountDone: doneCount)))
    } else {
      handler(.success(doneCount))
    }
  }
}
