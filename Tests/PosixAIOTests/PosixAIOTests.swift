import XCTest
import SystemPackage
import Glibc
@testable import PosixAIO

final class Smoke: XCTestCase {
  func testWriteReadSync() throws {
    let queue = try CompletionQueue()
    let fd = try FileDescriptor.open(FilePath("/tmp/smoke.dat"), .readWrite, options: [.create, .truncate], permissions: .ownerReadWrite)
    let file = AIOFile(fd, path: "/tmp/smoke.dat", queue: queue)
    var log: [String] = []
    try file.write(IOBuffer(copying: Array("hello world".utf8)), at: 0) { r, b in log.append("write \(r) \(b.count)") }
    try file.sync { log.append("sync \($0)") 
      try! file.read(into: IOBuffer(capacity: 100), at: 6) { r, b in log.append("read \(r) \(String(decoding: b))") 
        file.close { log.append("close \($0)") }
      }
    }
    while queue.unfinishedCount > 0 {
      var p = pollfd(fd: queue.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
      XCTAssertEqual(poll(&p, 1, 2000), 1)
      queue.drain()
    }
    print(log, queue.figures)
    XCTAssertEqual(log.count, 4)
  }
}
