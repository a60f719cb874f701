// EmbedInC PORT: the file IO of a server in C, whose main loop and event base are C's.
import CLineServer
import Glibc
import PosixAIO
import Reactor
import SystemPackage

// CLineServer.h declares the three, and the compiler compares. C calls them on its base's thread.

@c @implementation
func files_open(_ base: OpaquePointer) -> OpaquePointer? {
  // The header has C keep the base for as long as the loop needs it.
  guard let loop = try? unsafe EventLoop(borrowing: base) else { return nil }
  return unsafe OpaquePointer(Unmanaged.passRetained(loop).toOpaque())
}

@c @implementation
func files_read(
  _ files: OpaquePointer, _ path: UnsafePointer<CChar>, _ done: files_done,
  _ context: UnsafeMutableRawPointer?
) {
  // A handle that files_open gave out, and files_close has not taken back.
  let loop = unsafe Unmanaged<EventLoop>.fromOpaque(UnsafeRawPointer(files)).takeUnretainedValue()
  File.contents(of: unsafe FilePath(platformString: path), on: loop) { result in
    switch consume result {
    case .success(let buffer):
      buffer.withBytes { bytes in
        unsafe bytes.withUnsafeBytes { unsafe done(context, $0.baseAddress, $0.count, 0) }
      }
    case .failure(let error):
      unsafe done(context, nil, 0, error.errno.rawValue)
    }
  }
}

@c @implementation
func files_close(_ files: OpaquePointer) {
  // The loop ends, answers what is in progress, and takes its events out of the base.
  unsafe Unmanaged<EventLoop>.fromOpaque(UnsafeRawPointer(files)).release()
}

exit(line_server_run(UInt16(CommandLine.arguments[1]) ?? 0))
