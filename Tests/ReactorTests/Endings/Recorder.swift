import Glibc
import PosixAIO
import Reactor
import Synchronization
import SystemPackage

/// How a call ended.
struct Outcome: CustomStringConvertible {
  enum Kind: Equatable {
    /// It did what it was asked for.
    case value
    /// Its handler got the error, or its task.
    case failure(Errno)
    /// The call itself threw: nothing was started.
    case refusal(Errno)
    /// An error without an errno, or a wrong result.
    case wrong
  }

  let kind: Kind
  let error: (any Error)?

  static let value = Outcome(kind: .value, error: nil)

  static func failure(_ error: any Error) -> Outcome {
    Outcome(kind: errno(of: error).map { .failure($0) } ?? .wrong, error: error)
  }

  static func refusal(_ error: any Error) -> Outcome {
    Outcome(kind: errno(of: error).map { .refusal($0) } ?? .wrong, error: error)
  }

  var description: String { error.map { "\(kind) (\($0))" } ?? "\(kind)" }

  func has(_ errno: Errno) -> Bool { kind == .failure(errno) || kind == .refusal(errno) }

  private static func errno(of error: any Error) -> Errno? {
    switch error {
    case let error as Errno: error
    case let error as FileError: error.errno
    case let error as SocketError: error.errno
    case let error as PumpError: errno(of: error.reason)
    case is CancellationError: .canceled
    default: nil
    }
  }

  private static func errno(of reason: PumpError.Reason) -> Errno? {
    switch reason {
    case .canceled, .connection(.local): .canceled
    case .file(let error): error.errno
    case .connection(.failed(let errno)): errno
    case .connection, .endOfFile: nil
    }
  }
}

/// What became of one call.
final class Recorder: Sendable {
  private struct State {
    var outcomes: [Outcome] = []
    var complaints: [String] = []
    var isInsideCall = false
  }

  private let state = Mutex(State())
  private let thread = pthread_self()
  /// Called with the first outcome, from inside the handler or the task.
  nonisolated(unsafe) var onFirst: (() -> Void)?

  var outcomes: [Outcome] { state.withLock { $0.outcomes } }
  var count: Int { outcomes.count }
  /// What was wrong with the way in which it was told.
  var complaints: [String] { state.withLock { $0.complaints } }

  func complain(_ text: String) {
    state.withLock { $0.complaints.append(text) }
  }

  /// Calls `body`.
  ///
  /// - Parameter mayCompleteInside: Whether its handler may be called from inside it.
  func noteCall(mayCompleteInside: Bool, _ body: () throws -> Void) {
    state.withLock { $0.isInsideCall = !mayCompleteInside }
    defer { state.withLock { $0.isInsideCall = false } }
    do { try body() } catch { note(.refusal(error)) }
  }

  func note(_ outcome: Outcome) {
    let count = state.withLock { state in
      state.outcomes.append(outcome)
      var isRefusal = false
      if case .refusal = outcome.kind { isRefusal = true }
      if state.isInsideCall, !isRefusal {
        state.complaints.append("the handler was called from inside the call")
      }
      if pthread_equal(thread, pthread_self()) == 0 {
        state.complaints.append("the handler was called on another thread")
      }
      return state.outcomes.count
    }
    guard count == 1 else { return }
    let call = unsafe onFirst
    unsafe onFirst = nil
    call?()
  }
}

/// What a handler or a task of the matrix captures, and nothing else of it: it goes when they do.
final class Reply: Sendable {
  private let recorder: Recorder

  init(_ recorder: Recorder) {
    self.recorder = recorder
  }

  func note(_ outcome: Outcome) {
    recorder.note(outcome)
  }

  /// The call gave something, which is dropped here.
  func ended() {
    note(.value)
  }

  /// - Parameter isRight: Whether a value is what it should be.
  func ended<Value: ~Copyable, Failure: Error>(
    _ result: consuming Result<Value, Failure>, isRight: (borrowing Value) -> Bool = { _ in true }
  ) {
    switch consume result {
    case .success(let value): note(isRight(value) ? .value : .failure(WrongValue()))
    case .failure(let error): note(.failure(error))
    }
  }

  /// As above, for a transfer.
  func ended(
    _ result: Result<Int, FileError>, _ buffer: borrowing IOBuffer, isRight: ([UInt8]) -> Bool
  ) {
    let bytes = Array(buffer)
    ended(result, isRight: { _ in isRight(bytes) })
  }
}

/// A call that succeeded gave something else than it should have.
struct WrongValue: Error {}
