import XCTest
import SystemPackage
import Reactor
import PosixAIO

final class Smoke2: XCTestCase {
  func testWriteReadSync() throws {
    let loop = try EventLoop()
    var log: [String] = []
    File.open("/tmp/smoke2.dat", .readWrite, options: [.create, .truncate], on: loop) { result in
      let file = try! result.get()
      try! file.write(IOBuffer(copying: Array("hello world".utf8)), at: 0) { r, b in
        log.append("write \(r)")
        try! file.sync { log.append("sync \($0)")
          try! file.read(into: IOBuffer(capacity: 5), at: 6) { r, b in
            log.append("read \(r) \(String(decoding: b))")
            file.close { log.append("close \($0)"); loop.schedule(after: .milliseconds(3)) { loop.stop() } }
          }
        }
      }
    }
    loop.run()
    print(log, loop.queue.figures)
    Folder.open("/tmp", on: loop) { f in
      let f = try! f.get()
      f.openFile("../etc/passwd", .readOnly) { r in log.append("\(r)"); loop.stop() }
    }
    loop.run()
    print(log.last!)
  }
}
