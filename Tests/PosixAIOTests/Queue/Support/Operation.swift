import CPosixAIO
import Glibc
import SystemPackage

@testable import PosixAIO

extension ScriptedSystem {
  /// An operation as it was submitted.
  @safe
  struct Operation {
    enum Kind {
      case read, write, sync, dataSync
    }

    let kind: Kind
    let descriptor: Int32
    let offset: Int64
    let byteCount: Int
    /// Its group; a sync has none.
    let groupID: UInt64?
    var isRunning = false
    private let control: AIOSystem.Control

    init(_ kind: Kind, _ control: AIOSystem.Control, _ groupID: UInt64?) {
      self.kind = kind
      unsafe self.control = control
      self.groupID = groupID
      descriptor = unsafe control.pointee.aio_fildes
      offset = unsafe Int64(control.pointee.aio_offset)
      byteCount = unsafe control.pointee.aio_nbytes
    }

    /// Tells it from the others that are held at the same time.
    var key: UInt { unsafe Self.key(control) }

    static func key(_ control: AIOSystem.Control) -> UInt { UInt(bitPattern: control) }

    var isSync: Bool { kind == .sync || kind == .dataSync }

    /// Whether it is the empty read behind a sync.
    var isSyncMarker: Bool { kind == .read && byteCount == 0 }

    /// The result of a call at an offset; nil for a descriptor that has no offsets.
    private func inPlace(_ result: Int) -> Int? {
      result < 0 && errno == ESPIPE ? nil : result
    }

    /// Does it, for so many bytes at the most, and returns what the kernel does.
    func perform(_ byteCount: Int) -> Int {
      switch kind {
      case .read:
        unsafe inPlace(pread(descriptor, control.pointee.aio_buf, byteCount, Int(offset)))
          ?? Glibc.read(descriptor, control.pointee.aio_buf, byteCount)
      case .write:
        unsafe inPlace(pwrite(descriptor, control.pointee.aio_buf, byteCount, Int(offset)))
          ?? Glibc.write(descriptor, control.pointee.aio_buf, byteCount)
      case .sync: Int(fsync(descriptor))
      case .dataSync: Int(fdatasync(descriptor))
      }
    }
  }
}
