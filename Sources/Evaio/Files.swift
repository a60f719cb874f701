package import CEvaio
internal import Glibc
internal import PosixAIO
internal import Reactor
internal import SystemPackage

@c @implementation
package func evaio_open(
  _ aio: OpaquePointer?, _ dir: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ flags: Int32,
  _ mode: mode_t, _ cb: evaio_open_cb?, _ arg: UnsafeMutableRawPointer?
) {
  let place = unsafe Place(aio, dir, path, "evaio_open")
  let access = FileDescriptor.AccessMode(rawValue: flags & O_ACCMODE)
  // The library adds O_CLOEXEC itself.
  let options = FileDescriptor.OpenOptions(rawValue: flags & ~(O_ACCMODE | O_CLOEXEC))
  let permissions = FilePermissions(rawValue: mode)
  guard let cb = unsafe cb else { trap("evaio_open: the callback is NULL") }
  let handler = { (result: Result<File, FileError>) in
    switch result {
    case .success(let file): unsafe cb(makeHandle(file), nil, arg)
    case .failure(let error): unsafe error.withC { unsafe cb(nil, $0, arg) }
    }
  }
  if let directory = place.directory {
    directory.openFile(place.path, access, options: options, permissions: permissions, handler)
  } else {
    File.open(
      place.path, access, options: options, permissions: permissions, on: place.loop, handler)
  }
}

@c @implementation
package func evaio_close(
  _ file: OpaquePointer?, _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) {
  let receiver = unsafe Receiver(cb, arg)
  unsafe takeObject(file, as: File.self, "evaio_close").close { receiver.receive($0) }
}

@c @implementation
package func evaio_open_dir(
  _ aio: OpaquePointer?, _ dir: OpaquePointer?, _ path: UnsafePointer<CChar>?,
  _ cb: evaio_open_dir_cb?, _ arg: UnsafeMutableRawPointer?
) {
  let place = unsafe Place(aio, dir, path, "evaio_open_dir")
  guard let cb = unsafe cb else { trap("evaio_open_dir: the callback is NULL") }
  let handler = { (result: Result<Directory, FileError>) in
    switch result {
    case .success(let directory): unsafe cb(makeHandle(directory), nil, arg)
    case .failure(let error): unsafe error.withC { unsafe cb(nil, $0, arg) }
    }
  }
  if let directory = place.directory {
    directory.openDirectory(place.path, handler)
  } else {
    Directory.open(place.path, on: place.loop, handler)
  }
}

@c @implementation
package func evaio_close_dir(_ dir: OpaquePointer?) {
  unsafe object(dir, as: Directory.self, "evaio_close_dir").core.checkAccess()
  // A directory is closed with its last reference.
  _ = unsafe takeObject(dir, as: Directory.self, "evaio_close_dir")
}

@unsafe
func openFile(_ file: OpaquePointer?, _ call: StaticString) -> File {
  unsafe object(file, as: File.self, call)
}

@unsafe
func filePath(_ path: UnsafePointer<CChar>?, _ call: StaticString) -> FilePath {
  guard let path = unsafe path else { trap("\(call): the path is NULL") }
  return unsafe FilePath(platformString: path)
}
