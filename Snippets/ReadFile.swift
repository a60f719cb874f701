import PosixAIO
import Reactor
import SystemPackage

let loop = try EventLoop()
File.open("/etc/os-release", .readOnly, on: loop) { result in
  guard case .success(let file) = result else { return loop.stop() }
  file.read(into: IOBuffer(capacity: 4096), at: 0) { result, buffer in
    print(String(decoding: buffer), terminator: "")  // `result`: the byte count, or an error
    file.close { _ in loop.stop() }
  }
}
loop.run()  // the same thread serves sockets, timers and signals
