import Glibc
import SystemPackage
import TestSupport

/// One operation straight on libc, for what must not depend on the code under test.
@safe
final class RawOperation {
  let control: UnsafeMutablePointer<aiocb>
  private let memory: UnsafeMutableRawBufferPointer

  /// An operation with memory of its own, silent.
  init(_ fileDescriptor: FileDescriptor, _ bytes: [UInt8] = [], priority: Int32 = 0) {
    unsafe memory = .allocate(byteCount: max(bytes.count, 1), alignment: 16)
    unsafe memory.copyBytes(from: bytes)
    unsafe control = .allocate(capacity: 1)
    unsafe control.initialize(to: aiocb())
    unsafe control.pointee.aio_fildes = fileDescriptor.rawValue
    unsafe control.pointee.aio_buf = memory.baseAddress
    unsafe control.pointee.aio_nbytes = bytes.count
    unsafe control.pointee.aio_reqprio = priority
    unsafe control.pointee.aio_sigevent.sigev_notify = Int32(SIGEV_NONE)
  }

  /// An operation with memory for `byteCount` bytes, silent.
  convenience init(_ fileDescriptor: FileDescriptor, byteCount: Int, priority: Int32 = 0) {
    self.init(fileDescriptor, [UInt8](repeating: 0, count: byteCount), priority: priority)
  }

  deinit {
    // A test that failed leaves the memory to glibc.
    guard error != EINPROGRESS else { return }
    unsafe control.deallocate()
    unsafe memory.deallocate()
  }

  func read() throws { try check(unsafe aio_read(control)) }

  func write() throws { try check(unsafe aio_write(control)) }

  func sync() throws { try check(unsafe aio_fsync(O_SYNC, control)) }

  /// Submits it alone in a list, with the list's event.
  func list(_ opcode: Int, event: sigevent) throws {
    unsafe control.pointee.aio_lio_opcode = Int32(opcode)
    var event = unsafe event
    var controls: [UnsafeMutablePointer<aiocb>?] = unsafe [control]
    try check(unsafe lio_listio(Int32(LIO_NOWAIT), &controls, 1, &event))
  }

  var error: Int32 { unsafe aio_error(control) }

  var result: Int { unsafe aio_return(control) }

  /// `aio_cancel(3)`: AIO_CANCELED, AIO_NOTCANCELED, AIO_ALLDONE, or -1.
  func cancel() -> Int { unsafe Int(aio_cancel(control.pointee.aio_fildes, control)) }

  /// The memory that glibc reads or fills.
  var bytes: [UInt8] { unsafe Array(memory.prefix(control.pointee.aio_nbytes)) }

  func waitUntilFinished() throws {
    let end = ContinuousClock.now + testDeadline
    while error == EINPROGRESS {
      guard ContinuousClock.now < end else {
        throw NothingHappened(description: "an operation of glibc's is not finished")
      }
      var timeout = timespec(tv_sec: 1, tv_nsec: 0)
      var controls: [UnsafePointer<aiocb>?] = unsafe [UnsafePointer(control)]
      // An error is a time-out or an interruption, and the loop looks again.
      _ = unsafe aio_suspend(&controls, 1, &timeout)
    }
  }

  private func check(_ status: Int32) throws {
    guard status == 0 else { throw Errno(rawValue: errno) }
  }
}
