// Misuse NAME: makes a mistake of a caller, which traps with a sentence. `.ci/misuse` looks for the
// sentence in the release build.
import PosixAIO
import Reactor
import SystemPackage

@main
struct Misuse {
  static func main() throws {
    let loop = try EventLoop()
    switch CommandLine.arguments.dropFirst().first {
    // In Reactor, with a sentence that is ready.
    case "loop":
      loop.schedule(after: .zero) { loop.close() }
      loop.run()
    // In PosixAIO, on the way of each read.
    case "file":
      File.open("/proc/self/exe", .readOnly, on: loop) { result in
        guard case .success(let file) = result else { return }
        file.read(into: IOBuffer(capacity: 1), byteCount: 2, at: 0) { _, _ in }
      }
      loop.run()
    default:
      print("usage: Misuse loop|file")
    }
  }
}
