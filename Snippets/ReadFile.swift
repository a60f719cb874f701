import PosixAIO
import Reactor
import SystemPackage

let loop = try EventLoop()
File.open("/etc/os-release", .readOnly, on: loop) { result in
  guard case .success(let file) = result else { return loop.stop() }
  file.read(into: IOBuffer(capacity: 4096), at: 0) { result, buffer in
    print(String(decoding: buffer), terminator: "")  // `result`: how many bytes, or why not
    file.close { _ in loop.stop() }
  }
}
loop.run()  // sockets, timers and signals are served by the same thread
