import Glibc
import Synchronization
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Opening below a directory, by openat2(2) and by the walk that stands in for it on old kernels.
final class OpenBeneathTests: XCTestCase {
  private typealias Way = @Sendable (FileDescriptor, FilePath) throws -> FileDescriptor

  private static let ways: [(name: String, open: Way)] = [
    ("openat2", { try openBeneath($0, $1, flags: O_RDONLY, permissions: []) }),
    ("walk", { try walkBeneath($0, $1, flags: O_RDONLY, permissions: []) }),
  ]

  private var folder: TemporaryDirectory!
  private var root = FileDescriptor(rawValue: -1)

  /// `outside`, and beside it `root` with `file`, `a/b/deep` and links.
  override func setUpWithError() throws {
    folder = try TemporaryDirectory()
    try folder.write([1], to: "outside")
    for name in ["root", "root/a", "root/a/b"] {
      XCTAssertEqual(unsafe mkdir(path(name), 0o700), 0)
    }
    try folder.write([2], to: "root/file")
    try folder.write([3], to: "root/a/b/deep")
    for (target, name) in [("../outside", "out"), ("a", "inner"), ("/etc", "absolute")] {
      XCTAssertEqual(unsafe symlink(target, path("root/\(name)")), 0)
    }
    root = try FileDescriptor.open(folder.path.appending("root"), .readOnly)
  }

  override func tearDown() {
    close(root.rawValue)
    folder = nil
  }

  private func path(_ name: String) -> String { folder.path.appending(name).string }

  private func firstByte(_ name: FilePath, _ open: Way) throws -> UInt8? {
    let file = try open(root, name)
    defer { close(file.rawValue) }
    var byte: UInt8 = 0
    return unsafe read(file.rawValue, &byte, 1) == 1 ? byte : nil
  }

  private func assertRefused(_ name: FilePath, with errors: Set<Errno>, line: UInt = #line) {
    for way in Self.ways {
      XCTAssertThrowsError(try firstByte(name, way.open), way.name, line: line) { error in
        XCTAssertTrue((error as? Errno).map(errors.contains) ?? false, "\(error)", line: line)
      }
    }
  }

  func test_filesBelowAreOpened_howeverDeep() throws {
    for way in Self.ways {
      XCTAssertEqual(try firstByte("file", way.open), 2, way.name)
      XCTAssertEqual(try firstByte("a/b/deep", way.open), 3, way.name)
      XCTAssertEqual(try firstByte("./a/./b/deep", way.open), 3, way.name)
    }
  }

  func test_directoryItselfIsOpened_underItsOwnName() throws {
    for way in Self.ways {
      let opened = try way.open(root, ".")
      defer { close(opened.rawValue) }
      var (left, right) = (stat(), stat())
      XCTAssertEqual(unsafe fstat(opened.rawValue, &left), 0)
      XCTAssertEqual(unsafe fstat(root.rawValue, &right), 0)
      XCTAssertEqual(left.st_ino, right.st_ino, way.name)
    }
  }

  func test_pathsThatLeadOutsideAreRefused() {
    for name: FilePath in ["..", "../outside", "a/../../outside", "/etc/passwd"] {
      assertRefused(name, with: [.improperLink])
    }
  }

  func test_linksThatLeadOutsideAreRefused() {
    // The walk takes no link at all.
    for name: FilePath in ["out", "absolute", "absolute/passwd"] {
      assertRefused(name, with: [.improperLink, .tooManySymbolicLinkLevels, .notDirectory])
    }
  }

  func test_walkTakesNoLink_alsoNotOneThatStaysInside() throws {
    XCTAssertEqual(try firstByte("inner/b/deep", Self.ways[0].open), 3)
    XCTAssertThrowsError(try firstByte("inner/b/deep", Self.ways[1].open))
  }

  func test_whatIsMissingIsMissing() {
    assertRefused("none", with: [.noSuchFileOrDirectory])
    assertRefused("a/none/deep", with: [.noSuchFileOrDirectory])
    assertRefused("file/deep", with: [.notDirectory])
  }

  func test_nothingStaysOpen_whereTheWayEnds() throws {
    let before = try openDescriptors()
    for way in Self.ways {
      XCTAssertEqual(try firstByte("a/b/deep", way.open), 3)
      XCTAssertThrowsError(try way.open(root, "a/b/none/deep"))
    }
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_nameThatIsNotUTF8IsTakenAsItIs() throws {
    let bytes: [CInterop.PlatformChar] = [0x66, -1, -2, 0]
    let name = unsafe bytes.withUnsafeBufferPointer {
      unsafe $0.baseAddress.map { unsafe FilePath(platformString: $0) } ?? FilePath()
    }
    for way in Self.ways {
      XCTAssertThrowsError(try firstByte(name, way.open))
      let made = try walkBeneath(
        root, name, flags: O_CREAT | O_RDWR, permissions: .ownerReadWrite)
      close(made.rawValue)
      XCTAssertNil(try firstByte(name, way.open), "it is there, and empty")
      XCTAssertEqual(unsafe name.withPlatformString { unsafe unlinkat(root.rawValue, $0, 0) }, 0)
    }
  }

  // MARK: Renames

  func test_openIsTriedAgain_whenARenameFallsIntoIt() throws {
    for failureCount in [0, 1, openRetryLimit] {
      var callCount = 0
      let opened = try retryingAfterRenames { () throws(Errno) in
        callCount += 1
        guard callCount > failureCount else { throw .resourceTemporarilyUnavailable }
        return FileDescriptor(rawValue: 7)
      }
      XCTAssertEqual(opened.rawValue, 7)
      XCTAssertEqual(callCount, failureCount + 1)
    }
  }

  func test_openFails_whenRenamesDoNotEnd() {
    var callCount = 0
    XCTAssertThrowsError(
      try retryingAfterRenames { () throws(Errno) in
        callCount += 1
        throw .resourceTemporarilyUnavailable
      }
    ) { XCTAssertEqual($0 as? Errno, .resourceTemporarilyUnavailable) }
    XCTAssertEqual(callCount, openRetryLimit + 1)
  }

  func test_otherErrorsAreReportedAtOnce() {
    var callCount = 0
    XCTAssertThrowsError(
      try retryingAfterRenames { () throws(Errno) in
        callCount += 1
        throw .noSuchFileOrDirectory
      })
    XCTAssertEqual(callCount, 1)
  }

  func test_pathsThatGoUpAreOpened_whileAnotherThreadRenames() throws {
    let isOver = Mutex(false)
    let (from, to) = (path("root/moving"), path("root/moved"))
    XCTAssertEqual(unsafe mkdir(from, 0o700), 0)
    let renaming = try OtherThread.start {
      while !isOver.withLock({ $0 }) {
        unsafe rename(from, to)
        unsafe rename(to, from)
      }
    }
    for _ in 0..<5000 {
      XCTAssertEqual(try firstByte("a/b/../../a/b/deep", Self.ways[0].open), 3)
    }
    isOver.withLock { $0 = true }
    renaming.join()
  }
}
