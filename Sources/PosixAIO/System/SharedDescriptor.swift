internal import Glibc
internal import Synchronization
package import SystemPackage

/// An open descriptor with several owners: a file, and the calls on other threads that use it.
///
/// The number stays open as long as a reference exists, so that it can never be closed and reused
/// for another file while a call uses it. ``close()`` closes it earlier, but not while a ``Use``
/// exists.
package final class SharedDescriptor: Sendable {
  /// Valid while the caller holds a ``Use``, or holds a reference and knows that ``close()`` is not
  /// called.
  package let descriptor: FileDescriptor

  /// The number of uses, and ``isClosed``.
  private let state = Atomic<Int>(0)
  private static let isClosed = 1 << 32

  /// The descriptor's number.
  package var rawValue: Int32 { descriptor.rawValue }

  /// Takes ownership of an open descriptor.
  package init(_ descriptor: FileDescriptor) {
    self.descriptor = descriptor
  }

  deinit {
    // A use holds a reference, so none exists.
    guard state.load(ordering: .acquiring) == 0 else { return }
    Glibc.close(rawValue)
  }

  /// Closes the descriptor now, or after its last use. A second call does nothing. Wraps
  /// `close(2)`.
  ///
  /// - Throws: The error of `close(2)`. The number is free all the same: Linux frees it even with
  ///   `EINTR`, so the call is never repeated. The error of a later close is not reported.
  package func close() throws(Errno) {
    guard state.bitwiseOr(Self.isClosed, ordering: .acquiringAndReleasing).oldValue == 0 else {
      return
    }
    try checked(Glibc.close(rawValue))
  }

  /// Gives the descriptor to the caller, who closes it.
  func surrender() -> FileDescriptor {
    state.bitwiseOr(Self.isClosed, ordering: .acquiringAndReleasing)
    return descriptor
  }

  /// Lets a call on another thread use the descriptor as long as this object lives. Create it
  /// before ``close()``.
  package final class Use: Sendable {
    let shared: SharedDescriptor

    init(_ shared: SharedDescriptor) {
      self.shared = shared
      shared.state.add(1, ordering: .relaxed)
    }

    deinit {
      let left = shared.state.subtract(1, ordering: .acquiringAndReleasing).newValue
      if left == SharedDescriptor.isClosed { Glibc.close(shared.rawValue) }
    }

    /// The descriptor.
    package var descriptor: FileDescriptor { shared.descriptor }

    /// The descriptor's number.
    package var rawValue: Int32 { shared.rawValue }
  }
}

/// All descriptors of a file that is being closed: the one it was made with, and its duplicates.
///
/// When it is dropped, it closes them.
package struct ClosingDescriptors: Sendable {
  private enum Content {
    case open(SharedDescriptor, Duplicates?)
    case refused(Errno)
  }

  private let content: Content

  init(_ first: SharedDescriptor, duplicates: [Int32]) {
    content = .open(first, duplicates.isEmpty ? nil : Duplicates(duplicates))
  }

  /// In place of descriptors that cannot be closed yet: the queue has ended while glibc, or a call
  /// on another thread, still uses them. They are closed when that use ends.
  init(refused reason: Errno) {
    content = .refused(reason)
  }

  /// The descriptor that the file was made with; nil if ``close()`` would throw `ECANCELED`.
  package var first: FileDescriptor? {
    if case .open(let first, _) = content { first.descriptor } else { nil }
  }

  /// Closes all of them on the calling thread, once. Wraps `close(2)`, which may block.
  ///
  /// - Throws: The first error. A network file system reports a failed write at the close of any
  ///   duplicate; the descriptors are closed all the same. `ECANCELED` if the queue ended before
  ///   the file could be closed; the descriptors are then closed later, and the result is not
  ///   reported.
  package func close() throws(Errno) {
    switch content {
    case .refused(let reason): throw reason
    case .open(let first, let duplicates):
      var reason = duplicates?.close()
      do throws(Errno) { try first.close() } catch { reason = reason ?? error }
      if let reason { throw reason }
    }
  }

  /// Closes the duplicates and gives the first descriptor to the caller.
  func surrenderFirst() throws(Errno) -> FileDescriptor {
    switch content {
    case .refused(let reason): throw reason
    case .open(let first, let duplicates):
      // The caller's descriptor still reports an error that the file system holds back.
      _ = duplicates?.close()
      return first.surrender()
    }
  }

  /// Closed once, at the latest with the last reference.
  private final class Duplicates: Sendable {
    private let numbers: Mutex<[Int32]>

    init(_ numbers: [Int32]) {
      self.numbers = Mutex(numbers)
    }

    deinit { _ = close() }

    /// - Returns: The first error.
    func close() -> Errno? {
      let taken = numbers.withLock { numbers in
        defer { numbers = [] }
        return numbers
      }
      var reason: Errno?
      for number in taken where Glibc.close(number) != 0 {
        reason = reason ?? .ofLastCall
      }
      return reason
    }
  }
}
