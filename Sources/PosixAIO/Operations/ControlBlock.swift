internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The memory of one operation that glibc may touch: its control block, at a fixed address, and its
/// buffer.
///
/// An operation holds its block. When it is dropped in flight, the ``OperationTable`` keeps the
/// block until glibc is done with it.
///
/// Sendable: one thread at a time uses a block, and the table's part of it is only touched under
/// the table's lock.
@safe
final class ControlBlock: @unchecked Sendable {
  /// What the table knows of a block.
  @safe
  struct Entry {
    var next: Unmanaged<ControlBlock>?
    var previous: Unmanaged<ControlBlock>?
    var isListed = false
    var isAbandoned = false
  }

  /// The operation's `struct aiocb`.
  let control: AIOSystem.Control

  /// A second one, for the empty read that announces the end of a sync.
  let doorbell: AIOSystem.Control

  /// The bytes to be moved: the caller's own, or those of `buffer`.
  var memory: UnsafeMutableRawBufferPointer?

  /// Owns the memory, unless that is the caller's, or a vector's only piece.
  var buffer: IOBuffer?

  /// Owns the pieces of a vectored operation, unless they are the caller's.
  var vector: IOVector?

  /// Whether it puts bytes into a file.
  var isWrite = false

  var entry = Entry()

  init() {
    unsafe control = .allocate(capacity: 2)
    unsafe control.initialize(repeating: aiocb(), count: 2)
    unsafe doorbell = control + 1
  }

  deinit {
    unsafe control.deallocate()
  }

  var fileDescriptor: Int32 { unsafe control.pointee.aio_fildes }

  var priority: Int32 { unsafe control.pointee.aio_reqprio }

  /// Takes a buffer in.
  func adopt(_ buffer: consuming IOBuffer) {
    // The memory keeps its address when the buffer moves.
    unsafe memory = unsafe buffer.unsafeMemory
    self.buffer = consume buffer
  }

  /// Gives the buffer back, if there is one.
  func takeBuffer() -> IOBuffer? {
    guard let buffer = buffer.take() else { return nil }
    unsafe memory = nil
    return buffer
  }

  /// Notes how many bytes a read has put into the buffer.
  func setBufferCount(_ count: Int) {
    // The kernel wrote that many.
    unsafe buffer?.setCount(count)
  }

  /// Moves everything but what glibc may still touch from another block.
  func takeOver(_ former: ControlBlock) {
    unsafe memory = former.memory
    buffer = former.buffer.take()
    vector = former.vector.take()
    isWrite = former.isWrite
  }

  /// Whether glibc may still touch the block.
  var isBusy: Bool {
    unsafe AIOSystem.live.error(of: control) == EINPROGRESS || isDoorbellBusy
  }

  /// Whether glibc may still touch the doorbell.
  var isDoorbellBusy: Bool {
    unsafe AIOSystem.live.error(of: doorbell) == EINPROGRESS
  }
}
