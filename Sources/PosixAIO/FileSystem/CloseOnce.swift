/// Closes an object once. Further closes receive the result of the first.
package struct CloseOnce {
  private enum State {
    case open
    case closing(others: [CompletionQueue.SyncHandler])
    case closed
    // On the heap, since a close rarely fails.
    indirect case failed(FileError)
  }

  private var state = State.open

  package init() {}

  /// - Parameter whenOver: Gets the result if the object has been closed before.
  /// - Returns: Whether this is the first close. The caller must then call `handler`.
  package mutating func begin(
    _ handler: @escaping CompletionQueue.SyncHandler,
    whenOver: (Result<Void, FileError>) -> Void
  ) -> Bool {
    switch state {
    case .open:
      state = .closing(others: [])
      return true
    case .closing(let others): state = .closing(others: others + [handler])
    case .closed: whenOver(.success(()))
    case .failed(let error): whenOver(.failure(error))
    }
    return false
  }

  /// - Returns: The handlers of further closes, to be called after the first.
  package mutating func end(_ result: Result<Void, FileError>) -> [CompletionQueue.SyncHandler] {
    guard case .closing(let others) = state else { return [] }
    settle(result)
    return others
  }

  /// Closes the object after the loop's end, when no turn is left to wait for. Call it from one
  /// thread at a time, such as under a lock.
  package mutating func outcomeAfterEnd(
    _ close: () -> Result<Void, FileError>
  ) -> Result<Void, FileError> {
    switch state {
    case .open:
      let result = close()
      settle(result)
      return result
    case .closing: trap("CloseOnce: a loop completes every close before it ends")
    case .closed: return .success(())
    case .failed(let error): return .failure(error)
    }
  }

  private mutating func settle(_ result: Result<Void, FileError>) {
    switch result {
    case .success: state = .closed
    case .failure(let error): state = .failed(error)
    }
  }
}
