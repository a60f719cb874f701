import Glibc
import Synchronization
import SystemPackage
import TestSupport

/// Catches a signal with a handler and notes what it brought. One at a time in a process, and used
/// on the first thread, which the kernel prefers.
final class SignalRecorder {
  struct Record: Equatable {
    var number: Int32
    /// `si_code`.
    var code: Int32
    /// `si_value`.
    var value: Int
  }

  private let number: Int32
  private let readEnd: FileDescriptor
  private let writeEnd: FileDescriptor
  private var former = sigaction()

  init(_ number: Int32) throws {
    self.number = number
    (readEnd, writeEnd) = try FileDescriptor.pipe()
    recordEnd.store(writeEnd.rawValue, ordering: .sequentiallyConsistent)
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_sigaction = { number, info, _ in
      unsafe note(number, info)
    }
    action.sa_flags = SA_SIGINFO
    guard unsafe sigaction(number, &action, &former) == 0 else { throw Errno(rawValue: errno) }
  }

  deinit {
    unsafe sigaction(number, &former, nil)
    recordEnd.store(-1, ordering: .sequentiallyConsistent)
    try? readEnd.close()
    try? writeEnd.close()
  }

  /// The next signal, as soon as it comes.
  func next() throws -> Record {
    try readEnd.waitUntilReadable("no signal \(number)")
    var record = Record(number: 0, code: 0, value: 0)
    _ = try unsafe withUnsafeMutableBytes(of: &record) { try unsafe readEnd.read(into: $0) }
    return record
  }

  /// What has come by now: a signal too many, since glibc sends all before an operation is
  /// finished.
  func rest() throws -> [Record] {
    var records: [Record] = []
    while readEnd.isReadable { records.append(try next()) }
    return records
  }
}

private let recordEnd = Atomic<Int32>(-1)

/// Runs in the handler: nothing but a write.
private func note(_ number: Int32, _ info: UnsafeMutablePointer<siginfo_t>?) {
  let formerErrno = errno
  defer { errno = formerErrno }
  guard let info = unsafe info else { return }
  // si_value is a macro.
  let value = unsafe Int(bitPattern: info.pointee._sifields._rt.si_sigval.sival_ptr)
  var record = unsafe SignalRecorder.Record(
    number: number, code: info.pointee.si_code, value: value)
  let end = recordEnd.load(ordering: .sequentiallyConsistent)
  _ = unsafe write(end, &record, MemoryLayout<SignalRecorder.Record>.size)
}
