internal import Glibc
internal import Synchronization
package import SystemPackage

/// An open descriptor with several owners: a file, and the calls that use it on other threads.
///
/// The number stays open as long as somebody holds a reference, so that it can never be closed and
/// given to another file under a call that uses it. ``close()`` closes it earlier, but not under a
/// ``Use``.
package final class SharedDescriptor: Sendable {
  /// To be used while a reference is held, by an owner who knows that nobody calls ``close()``, or
  /// else while a ``Use`` is held.
  package let descriptor: FileDescriptor

  /// How many uses there are, and ``isClosed``.
  private let state = Atomic<Int>(0)
  private static let isClosed = 1 << 32

  /// The descriptor's number.
  package var rawValue: Int32 { descriptor.rawValue }

  /// Takes over an open descriptor.
  package init(_ descriptor: FileDescriptor) {
    self.descriptor = descriptor
  }

  deinit {
    // Uses hold a reference, so there are none.
    guard state.load(ordering: .acquiring) == 0 else { return }
    Glibc.close(rawValue)
  }

  /// Closes the descriptor now, or with its last use; a second call does nothing. Wraps `close(2)`.
  ///
  /// - Throws: What `close(2)` gives. The number is free all the same: Linux frees it also when it
  ///   says `EINTR`, so the call is never repeated. Nobody is told what a later close gives.
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

  /// Lets a call on another thread use the descriptor for as long as it holds this. To be made
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
/// Dropped, it closes them.
package struct ClosingDescriptors: Sendable {
  private enum Content {
    case open(SharedDescriptor, Duplicates?)
    case refused(Errno)
  }

  private let content: Content

  init(_ first: SharedDescriptor, duplicates: [Int32]) {
    content = .open(first, duplicates.isEmpty ? nil : Duplicates(duplicates))
  }

  /// Stands for descriptors that are not here: the queue has ended while glibc, or a call on
  /// another thread, still uses them. They are closed when those let go.
  init(refused reason: Errno) {
    content = .refused(reason)
  }

  /// The descriptor that the file was made with; nil where ``close()`` would throw `ECANCELED`.
  package var first: FileDescriptor? {
    if case .open(let first, _) = content { first.descriptor } else { nil }
  }

  /// Closes all of them, on the calling thread, once. Wraps `close(2)`, which may block.
  ///
  /// - Throws: The first error. A network file system reports a failed write at the close of any
  ///   duplicate; the descriptors are gone all the same. `ECANCELED` if the queue ended before the
  ///   file could be closed: then the descriptors are closed later, and nobody is told the result.
  package func close() throws(Errno) {
    switch content {
    case .refused(let reason): throw reason
    case .open(let first, let duplicates):
      var reason = duplicates?.close()
      do throws(Errno) { try first.close() } catch { reason = reason ?? error }
      if let reason { throw reason }
    }
  }

  /// Closes the duplicates and gives the first one to the caller.
  func surrenderFirst() throws(Errno) -> FileDescriptor {
    switch content {
    case .refused(let reason): throw reason
    case .open(let first, let duplicates):
      // The caller still has a descriptor, whose close reports what the file system kept back.
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
