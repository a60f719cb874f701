internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The memory of one operation that glibc may use: its control block, at a fixed address, and its
/// buffer.
///
/// An operation holds its block. If it is dropped in flight, the ``OperationTable`` keeps the block
/// until glibc is done with it.
///
/// Sendable: one thread at a time uses a block, and the table's part of it is used only under the
/// table's lock.
@safe
final class ControlBlock: @unchecked Sendable {
  /// The table's part of a block.
  @safe
  struct Entry {
    var next: Unmanaged<ControlBlock>?
    var previous: Unmanaged<ControlBlock>?
    var isListed = false
    var isAbandoned = false
  }

  /// The operation's `struct aiocb`.
  let control: AIOSystem.Control

  /// A second one, for the empty read whose signal announces the end of a sync.
  let syncMarker: AIOSystem.Control

  /// The bytes to move: the caller's own, or those of `buffer`.
  var memory: UnsafeMutableRawBufferPointer?

  /// Owns the memory, unless that is the caller's, or a vector's only piece.
  var buffer: IOBuffer?

  /// Owns the pieces of a vectored operation, unless they are the caller's.
  var vector: IOVector?

  /// Whether the operation writes to the file.
  var isWrite = false

  var entry = Entry()

  init() {
    unsafe control = .allocate(capacity: 2)
    unsafe control.initialize(repeating: aiocb(), count: 2)
    unsafe syncMarker = control + 1
  }

  deinit {
    unsafe control.deallocate()
  }

  var fileDescriptor: Int32 { unsafe control.pointee.aio_fildes }

  var priority: Int32 { unsafe control.pointee.aio_reqprio }

  /// Takes ownership of a buffer.
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

  /// Sets how many bytes a read has put into the buffer.
  func setBufferCount(_ count: Int) {
    // The kernel wrote this many bytes.
    unsafe buffer?.setCount(count)
  }

  /// Moves everything that glibc does not use any more from another block.
  func takeOver(_ former: ControlBlock) {
    unsafe memory = former.memory
    buffer = former.buffer.take()
    vector = former.vector.take()
    isWrite = former.isWrite
  }

  /// Whether glibc may still use the block.
  var isBusy: Bool {
    unsafe AIOSystem.live.error(of: control) == EINPROGRESS || isSyncMarkerBusy
  }

  /// Whether glibc may still use the sync marker.
  var isSyncMarkerBusy: Bool {
    unsafe AIOSystem.live.error(of: syncMarker) == EINPROGRESS
  }
}
