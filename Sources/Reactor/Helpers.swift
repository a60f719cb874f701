internal import Dispatch
internal import Synchronization

/// A few threads of Dispatch for calls that block, in the order in which they were asked for.
///
/// Dispatch's threads block all signals, so none of the loop's land there. The completions stay on
/// the loop's side; what crosses threads is the work, its result, and a number.
@safe
final class Helpers {
  private let limit: Int
  private let remote: EventLoop.Remote
  private let threads = DispatchQueue(label: "Reactor.Helpers", attributes: .concurrent)
  private var waiting: [@Sendable () -> Void] = []
  private var completions: [Int: () -> Void] = [:]
  private var nextNumber = 0
  private var runningCount = 0

  init(limit: Int, remote: EventLoop.Remote) {
    precondition(limit > 0, "EventLoop: helperLimit is 1 or more")
    self.limit = limit
    self.remote = remote
  }

  func run<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value, _ completion: @escaping (Value) -> Void
  ) {
    let number = nextNumber
    nextNumber += 1
    let box = ResultBox<Value>()
    completions[number] = {
      // The work has put its result in before the loop was told.
      guard let value = box.take() else { preconditionFailure("Helpers: a result is there once") }
      completion(value)
    }
    waiting.append { [remote] in
      box.put(work())
      remote.execute { loop in loop.helpers.finish(number) }
    }
    startNext()
  }

  private func finish(_ number: Int) {
    runningCount -= 1
    startNext()
    completions.removeValue(forKey: number)?()
  }

  private func startNext() {
    while runningCount < limit, !waiting.isEmpty {
      runningCount += 1
      threads.async(execute: waiting.removeFirst())
    }
  }
}

private final class ResultBox<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)

  func put(_ value: Value) {
    self.value.withLock { $0 = value }
  }

  func take() -> Value? {
    value.withLock { value in
      defer { value = nil }
      return value
    }
  }
}
