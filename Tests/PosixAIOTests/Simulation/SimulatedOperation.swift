import CPosixAIO
import Glibc

@testable import PosixAIO

/// An operation as it was submitted to the simulated libc.
@safe
final class SimulatedOperation {
  enum Kind {
    case read, write, sync, dataSync
  }

  let kind: Kind
  let descriptor: Int32
  let offset: Int
  let byteCount: Int
  let disk: SimulatedDisk
  /// Its group; a sync has none.
  let groupID: UInt64?
  /// What a write wrote when it was submitted.
  let bytes: [UInt8]
  /// The requests whose bytes it moves, as far as they can be told.
  let requests: Set<Int>
  private(set) var isRunning = false
  private(set) var writeBack: SimulatedDisk.WriteBack?
  private let control: AIOSystem.Control

  init(
    _ kind: Kind, _ control: AIOSystem.Control, _ disk: SimulatedDisk, _ groupID: UInt64?
  ) {
    self.kind = kind
    unsafe self.control = control
    self.disk = disk
    self.groupID = groupID
    descriptor = unsafe control.pointee.aio_fildes
    offset = unsafe Int(control.pointee.aio_offset)
    byteCount = unsafe control.pointee.aio_nbytes
    bytes = kind == .write ? unsafe Self.memory(of: control) : []
    requests = SimulatedContent.requests(in: bytes)
  }

  var key: UInt { unsafe UInt(bitPattern: control) }

  var isSync: Bool { kind == .sync || kind == .dataSync }

  /// Whether it is the empty read behind a sync.
  var isSyncMarker: Bool { kind == .read && byteCount == 0 }

  /// The memory that libc may touch while it has the operation.
  var memory: Range<UInt> {
    let start = unsafe UInt(bitPattern: control.pointee.aio_buf)
    return isSync ? 0..<0 : start..<start + UInt(byteCount)
  }

  /// Where in the file it reads or writes.
  var places: Range<Int> { offset..<offset + byteCount }

  /// The memory's bytes at this moment.
  var presentBytes: [UInt8] { unsafe Self.memory(of: control) }

  func begin() {
    isRunning = true
    if isSync { writeBack = disk.beginSync(dataOnly: kind == .dataSync) }
  }

  /// Puts what was read where the queue wants it.
  func fill(_ bytes: [UInt8]) {
    guard let memory = unsafe control.pointee.aio_buf else { return }
    unsafe memory.copyMemory(from: bytes, byteCount: bytes.count)
  }

  private static func memory(of control: AIOSystem.Control) -> [UInt8] {
    let memory = unsafe UnsafeRawBufferPointer(
      start: control.pointee.aio_buf, count: control.pointee.aio_nbytes)
    return unsafe Array(memory)
  }
}

extension SimulatedOperation: CustomStringConvertible {
  var description: String {
    let whose = requests.isEmpty ? "" : " of \(requests.sorted().map { "#\($0)" })"
    let place = isSync ? "" : " \(offset)+\(byteCount)"
    return "\(kind) \(disk.name)\(place) on descriptor \(descriptor)\(whose)"
  }
}
