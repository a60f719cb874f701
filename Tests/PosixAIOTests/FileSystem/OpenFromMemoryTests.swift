import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

final class OpenFromMemoryTests: XCTestCase {
  func test_regularFileOfALocalFileSystemIsOpened_byAPathThatIsCached() throws {
    let directory = try TemporaryDirectory()
    try directory.write([1, 2, 3], to: "file")
    let path = directory.path.appending("file")
    guard let probe = openFromMemory(path) else {
      throw XCTSkip("the kernel or the file system of /tmp does not support it")
    }
    defer { close(probe.rawValue) }
    var bytes = [UInt8](repeating: 0, count: 4)
    let count = try unsafe bytes.withUnsafeMutableBytes { try unsafe probe.read(into: $0) }
    XCTAssertEqual(bytes.prefix(count), [1, 2, 3])
    XCTAssertNotEqual(fcntl(probe.rawValue, F_GETFD) & FD_CLOEXEC, 0)
  }

  func test_otherFilesAreLeftToAThread() throws {
    let directory = try TemporaryDirectory()
    let pipe = directory.path.appending("pipe")
    XCTAssertEqual(unsafe pipe.withPlatformString { unsafe mkfifo($0, 0o600) }, 0)
    let before = try openDescriptors().count
    for path in [pipe, directory.path, "/proc/self/status", "/dev/null", "/no/such/file"] {
      XCTAssertNil(openFromMemory(path), "\(path)")
    }
    XCTAssertEqual(try openDescriptors().count, before)
  }

  func test_pipeIsOpenedWithoutItsOtherEnd_andWaitsLater() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("pipe")
    XCTAssertEqual(unsafe path.withPlatformString { unsafe mkfifo($0, 0o600) }, 0)
    for (flags, isLeft) in [(O_RDONLY, false), (O_RDONLY | O_NONBLOCK, true)] {
      let opened = try OpenedFile(
        opening: .anywhere(path), path: path, flags: flags, permissions: [])
      let present = fcntl(opened.descriptor.rawValue, F_GETFL)
      XCTAssertEqual(present & O_NONBLOCK != 0, isLeft)
    }
  }
}
