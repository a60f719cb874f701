internal import Synchronization

/// A reference to a value that cannot be copied, such as an ``IOBuffer``, and moves out once.
///
/// An escaping closure cannot give away what it captures, and an array cannot store a value that
/// cannot be copied. Both can hold a box:
///
/// ```swift
/// let box = MoveBox(buffer)
/// loop.nextTurn { send(box.take()) }
/// ```
///
/// A value that is never taken is freed with the last reference to the box. If the value is
/// `Sendable`, so is the box, and any thread may take the value.
@safe
public final class MoveBox<Value: ~Copyable> {
  private let wasTaken = Atomic(false)
  private var value: Value?

  /// Creates a box.
  ///
  /// - Parameter value: Moves in.
  public init(_ value: consuming Value) {
    self.value = consume value
  }

  /// Whether ``take()`` was called. Another thread may take the value at any time.
  public var isEmpty: Bool { wasTaken.load(ordering: .acquiring) }

  /// Moves the value out. Traps the second time.
  ///
  /// - Returns: The value.
  public func take() -> Value {
    // Only one thread gets past the exchange, and only that one accesses the value.
    guard !wasTaken.exchange(true, ordering: .acquiringAndReleasing), let value = value.take()
    else {
      trap("MoveBox: the value was taken before")
    }
    return value
  }
}

// The exchange in `take()` orders the only access.
extension MoveBox: @unchecked Sendable where Value: Sendable & ~Copyable {}
