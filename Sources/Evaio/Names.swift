package import CEvaio
internal import Glibc
internal import PosixAIO
internal import Reactor
internal import SystemPackage

@c @implementation
package func evaio_fstat(
  _ file: OpaquePointer?, _ cb: evaio_stat_cb?, _ arg: UnsafeMutableRawPointer?
) {
  let receiver = unsafe StatusReceiver(cb, arg, "evaio_fstat")
  unsafe openFile(file, "evaio_fstat").status(receiver.receive)
}

@c @implementation
package func evaio_truncate(
  _ file: OpaquePointer?, _ size: Int64, _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) {
  let receiver = unsafe Receiver(cb, arg)
  unsafe openFile(file, "evaio_truncate").truncate(to: size, receiver.receive)
}

@c @implementation
package func evaio_allocate(
  _ file: OpaquePointer?, _ mode: Int32, _ offset: Int64, _ size: Int64, _ cb: evaio_cb?,
  _ arg: UnsafeMutableRawPointer?
) {
  let file = unsafe openFile(file, "evaio_allocate")
  let receiver = unsafe Receiver(cb, arg)
  let (end, overflows) = offset.addingReportingOverflow(size)
  guard let kind = File.Allocation(mode), size > 0, !overflows else {
    let handler: (Result<Void, FileError>) -> Void = receiver.receive
    return file.core.refuse(.allocate, file.path, at: offset, .invalidArgument, handler)
  }
  file.allocate(offset..<end, as: kind, receiver.receive)
}

extension File.Allocation {
  /// - Parameter mode: As for `fallocate(2)`.
  fileprivate init?(_ mode: Int32) {
    switch mode {
    case 0: self = .extending
    case LinuxFlags.keepSize: self = .keepingSize
    case LinuxFlags.keepSize | LinuxFlags.punchHole: self = .hole
    case LinuxFlags.zeroRange: self = .zeros
    default: return nil
    }
  }
}

/// Flags that Swift's Glibc does not show. The kernel's interface fixes their values.
private enum LinuxFlags {
  /// `FALLOC_FL_KEEP_SIZE`, `FALLOC_FL_PUNCH_HOLE` and `FALLOC_FL_ZERO_RANGE`.
  static let keepSize: Int32 = 1
  static let punchHole: Int32 = 2
  static let zeroRange: Int32 = 16
  /// `RENAME_NOREPLACE`.
  static let noReplace: UInt32 = 1
}

// MARK: - Names

@c @implementation
package func evaio_stat(
  _ aio: OpaquePointer?, _ dir: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ flags: Int32,
  _ cb: evaio_stat_cb?, _ arg: UnsafeMutableRawPointer?
) {
  let place = unsafe Place(aio, dir, path, "evaio_stat")
  let receiver = unsafe StatusReceiver(cb, arg, "evaio_stat")
  guard flags & ~AT_SYMLINK_NOFOLLOW == 0 else { return place.refuse(.status, receiver.receive) }
  let follows = flags & AT_SYMLINK_NOFOLLOW == 0
  if let directory = place.directory {
    directory.status(of: place.path, followingLinks: follows, receiver.receive)
  } else {
    File.status(of: place.path, followingLinks: follows, on: place.loop, receiver.receive)
  }
}

@c @implementation
package func evaio_rename(
  _ aio: OpaquePointer?, _ dir: OpaquePointer?, _ path: UnsafePointer<CChar>?,
  _ new_path: UnsafePointer<CChar>?, _ flags: UInt32, _ cb: evaio_cb?,
  _ arg: UnsafeMutableRawPointer?
) {
  let place = unsafe Place(aio, dir, path, "evaio_rename")
  let newPath = unsafe filePath(new_path, "evaio_rename")
  let receiver = unsafe Receiver(cb, arg)
  guard flags & ~LinuxFlags.noReplace == 0 else {
    return place.refuse(.rename) { receiver.receive($0 as Result<Int, _>) }
  }
  let handler = { (result: Result<Bool, FileError>) in receiver.receive(result.map { $0 ? 1 : 0 }) }
  if let directory = place.directory {
    directory.rename(place.path, to: newPath, replacing: flags == 0, handler)
  } else {
    File.rename(place.path, to: newPath, replacing: flags == 0, on: place.loop, handler)
  }
}

@c @implementation
package func evaio_unlink(
  _ aio: OpaquePointer?, _ dir: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ flags: Int32,
  _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) {
  let place = unsafe Place(aio, dir, path, "evaio_unlink")
  let receiver = unsafe Receiver(cb, arg)
  switch (place.directory, flags) {
  case (let directory?, 0): directory.remove(place.path, receiver.receive)
  case (let directory?, AT_REMOVEDIR): directory.removeDirectory(place.path, receiver.receive)
  case (nil, 0): File.remove(place.path, on: place.loop, receiver.receive)
  case (nil, AT_REMOVEDIR):
    Directory.removeDirectory(place.path, on: place.loop, receiver.receive)
  default: place.refuse(.remove) { receiver.receive($0 as Result<Int, _>) }
  }
}

@c @implementation
package func evaio_mkdir(
  _ aio: OpaquePointer?, _ dir: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ mode: mode_t,
  _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) {
  let place = unsafe Place(aio, dir, path, "evaio_mkdir")
  let receiver = unsafe Receiver(cb, arg)
  let permissions = FilePermissions(rawValue: mode)
  if let directory = place.directory {
    directory.createDirectory(place.path, permissions: permissions, receiver.receive)
  } else {
    Directory.createDirectory(
      place.path, permissions: permissions, on: place.loop, receiver.receive)
  }
}

@c @implementation
package func evaio_list(
  _ dir: OpaquePointer?, _ limit: Int, _ cb: evaio_list_cb?, _ arg: UnsafeMutableRawPointer?
) {
  let directory = unsafe object(dir, as: Directory.self, "evaio_list")
  guard let cb = unsafe cb else { trap("evaio_list: the callback is NULL") }
  let handler = { (result: Result<[Directory.Entry], FileError>) in
    switch result {
    case .success(let entries):
      unsafe withCEntries(entries) { unsafe cb($0.baseAddress, $0.count, nil, arg) }
    case .failure(let error):
      unsafe error.withC { unsafe cb(nil, 0, $0, arg) }
    }
  }
  guard limit != 0 else {
    return directory.core.refuse(.list, directory.path, .invalidArgument, handler)
  }
  let limit = Int(clampingSize: limit)
  directory.list(maximumCount: limit, handler)
}

/// Calls `body` with entries as C knows them, which are valid until it returns.
private func withCEntries(
  _ entries: [Directory.Entry], _ body: (UnsafeBufferPointer<evaio_entry>) -> Void
) {
  let names = unsafe entries.map { entry in
    unsafe entry.name.withPlatformString { unsafe strdup($0) }
  }
  defer { unsafe names.forEach { unsafe free($0) } }
  let known = unsafe zip(entries, names).map { entry, name in
    unsafe evaio_entry(name: UnsafePointer(name), status: entry.status.systemStatus)
  }
  unsafe known.withUnsafeBufferPointer(body)
}

/// Where a path leads: below a directory, or anywhere.
struct Place {
  let attachment: Attachment
  let directory: Directory?
  let path: FilePath

  @unsafe
  init(
    _ aio: OpaquePointer?, _ dir: OpaquePointer?, _ path: UnsafePointer<CChar>?,
    _ call: StaticString
  ) {
    attachment = unsafe Evaio.attachment(aio, call)
    directory = unsafe dir.map { unsafe object($0, as: Directory.self, call) }
    self.path = unsafe filePath(path, call)
    let core = attachment.loop.core
    require(
      directory.map { $0.core === core } ?? true,
      "\(call): the directory belongs to another evaio base")
  }

  var loop: EventLoop { attachment.loop }

  /// Reports that a call's flags are invalid.
  func refuse<Value>(
    _ operation: FileError.Operation, _ handler: @escaping (Result<Value, FileError>) -> Void
  ) {
    loop.core.refuse(operation, path, .invalidArgument, handler)
  }
}

/// Where metadata goes: C's callback and its argument.
@safe
private struct StatusReceiver {
  let callback: evaio_stat_cb
  let argument: UnsafeMutableRawPointer?

  init(
    _ callback: evaio_stat_cb?, _ argument: UnsafeMutableRawPointer?, _ call: StaticString
  ) {
    guard let callback = unsafe callback else { trap("\(call): the callback is NULL") }
    unsafe self.callback = callback
    unsafe self.argument = argument
  }

  func receive(_ result: Result<FileStatus, FileError>) {
    switch result {
    case .success(let status):
      var status = status.systemStatus
      unsafe callback(&status, nil, argument)
    case .failure(let error):
      unsafe error.withC { unsafe callback(nil, $0, argument) }
    }
  }
}
