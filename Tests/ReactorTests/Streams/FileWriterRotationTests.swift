import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// A writer that goes on in another file.
final class FileWriterRotationTests: FileWriterTestCase {
  func test_rotatedLogLosesNothing() throws {
    let before = try openDescriptors()
    do {
      let (loop, folder, writer) = try make(options: [.create, .append])
      let path = folder.path.appending("file")
      var expected: [UInt8] = []
      for rotation in 0..<4 {
        for number in 0..<30 {
          let bytes = Pattern.block(rotation * 100 + number, byteCount: 33)
          try writer.write(bytes)
          expected += bytes
        }
        let old = folder.path.appending("file.\(rotation)")
        try loop.value { File.rename(path, to: old, on: loop, $0) }
        try loop.value { done in
          writer.reopen(path, done)
          // While the new file is being opened.
          let bytes = Pattern.block(rotation, byteCount: 500)
          XCTAssertNil(self.refusal { try writer.write(bytes) })
          expected += bytes
          writer.flush(durably: true) { _ in }
        }
      }
      try writer.write([7])
      expected += [7]
      try loop.value { writer.close(durably: true, $0) }
      let names = ["file.0", "file.1", "file.2", "file.3", "file"]
      XCTAssertTrue(try names.flatMap { try folder.contents(of: $0) } == expected)
      XCTAssertEqual(try folder.contents(of: "file").last, 7)
    }
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_writerGoesOnWithTheOldFile_whenTheNewOneCannotBeOpened() throws {
    let (loop, folder, writer) = try make()
    try writer.write([1])
    let path = folder.path.appending("missing/file")
    XCTAssertEqual(
      try loop.error { writer.reopen(path, $0) },
      FileError(operation: .open, path: path, errno: .noSuchFileOrDirectory))
    try writer.write([2])
    try loop.value { writer.close($0) }
    XCTAssertEqual(try folder.contents(of: "file"), [1, 2])
  }

  func test_reopeningsThatWaitForTheSameFileShareIt() throws {
    let before = try openDescriptors()
    do {
      let (loop, folder, writer) = try make()
      try writer.write([1])
      let path = folder.path.appending("next")
      var order: [Int] = []
      for number in 0..<4 {
        writer.reopen(path) { result in
          expectNoThrow { try result.get() }
          order.append(number)
        }
      }
      writer.reopen(folder.path.appending("last")) { result in
        expectNoThrow { try result.get() }
        order.append(4)
      }
      loop.wait { order.count == 5 }
      XCTAssertEqual(order, [0, 1, 2, 3, 4])
      try writer.write([2])
      try loop.value { writer.close($0) }
      XCTAssertEqual(try folder.contents(of: "file"), [1])
      XCTAssertEqual(try folder.contents(of: "next"), [])
      XCTAssertEqual(try folder.contents(of: "last"), [2])
    }
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_fileThatIsRenamedDuringAReopeningIsReplacedByTheNextOne() throws {
    let (loop, folder, writer) = try make()
    let path = folder.path.appending("log")
    try loop.value { writer.reopen(path, $0) }
    var count = 0
    writer.reopen(path) { _ in count += 1 }
    try loop.value { File.rename(path, to: folder.path.appending("log.1"), on: loop, $0) }
    writer.reopen(path) { _ in count += 1 }
    loop.wait { count == 2 }
    try writer.write([3])
    try loop.value { writer.close($0) }
    XCTAssertEqual(try folder.contents(of: "log"), [3])
  }

  func test_closeDuringRotationClosesBothFiles() throws {
    let before = try openDescriptors()
    do {
      let (loop, folder, writer) = try make()
      try writer.write([1])
      var outcomes = 0
      writer.reopen(folder.path.appending("second")) { _ in outcomes += 1 }
      writer.reopen(folder.path.appending("third")) { _ in outcomes += 1 }
      loop.schedule(after: .milliseconds(2)) { writer.close { _ in outcomes += 1 } }
      loop.wait { outcomes == 3 }
    }
    XCTAssertEqual(try openDescriptors(), before)
  }
}
