import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

@testable import FileServer

/// The entries of the cache, and their age.
final class OpenFilesTests: XCTestCase {
  func test_fileThatIsKeptComesFromInsideTheCall_andIsNotOpenedAgain() throws {
    let site = try KeptDirectory()
    try site.write("text", to: "file")
    let first = try site.open("file")
    var second: OpenFile?
    site.files.open("file") { second = try? $0.get() }
    XCTAssertTrue(second === first)
    XCTAssertEqual(site.opens, ["file"])
    XCTAssertEqual(try site.text(of: first), "text")
    XCTAssertEqual(
      site.files.statistics, .init(hitCount: 1, missCount: 1, fileCount: 1, nameCount: 0))
  }

  func test_fileIsOpenedOnce_forConcurrentRequests() throws {
    let site = try KeptDirectory()
    try site.write("text", to: "file")
    let paths: [FilePath] = ["file", "file", "missing", "file", "missing"]
    let outcomes = try site.outcomes(paths)
    XCTAssertEqual(Set(outcomes.compactMap { try? ObjectIdentifier($0.get()) }).count, 1)
    XCTAssertEqual(site.opens, ["file", "missing"])
  }

  func test_nothingIsOlderThanItsValidity_whateverItsOpenTook() throws {
    let site = try KeptDirectory()
    try site.write("old", to: "file")
    // The age counts from when the file system was asked.
    _ = try site.outcomes(["file"]) { site.advance(.milliseconds(900)) }
    try site.replace("file", by: "new")
    site.advance(.milliseconds(99))
    XCTAssertEqual(try site.text(of: "file"), "old")
    site.advance(.milliseconds(1))
    XCTAssertEqual(try site.text(of: "file"), "new")
  }

  func test_openUnderWayIsNotShared_whenItIsTooOld() throws {
    let site = try KeptDirectory()
    try site.write("text", to: "file")
    var second: KeptDirectory.Outcome?
    let first = try site.outcomes(["file"]) {
      site.advance(.seconds(1))
      site.files.open("file") { second = $0 }
    }
    site.wait { second != nil }
    XCTAssertEqual(site.opens, ["file", "file"])
    XCTAssertFalse(try first[0].get() === second?.get())
    XCTAssertTrue(try site.open("file") === second?.get())
  }

  func test_unchangedFileGoesOnToBeUsed_whenItIsLookedAtAgain() throws {
    let site = try KeptDirectory()
    try site.write("text", to: "file")
    let first = try site.open("file")
    for count in 2...4 {
      site.advance(.seconds(1))
      XCTAssertTrue(try site.open("file") === first)
      XCTAssertTrue(try site.open("file") === first)
      XCTAssertEqual(site.opens.count, count)
    }
    site.wait { try site.descriptorCount() == 1 }
  }

  func test_fileIsOpenedEachTime_withoutAnyValidity() throws {
    let site = try KeptDirectory(.init(validity: .zero))
    try site.write("old", to: "file")
    let old = try site.open("file")
    XCTAssertTrue(try site.open("file") === old)
    XCTAssertEqual(site.opens.count, 2)
    _ = try site.outcomes(["file", "file"])
    XCTAssertEqual(site.opens.count, 4)
    try site.replace("file", by: "new")
    XCTAssertEqual(try site.text(of: "file"), "new")
    XCTAssertEqual(site.files.statistics.hitCount, 0)
  }

  // MARK: Changes by others

  func test_replacedFileIsNoticed_afterTheValidity() throws {
    let site = try KeptDirectory()
    try site.write("old", to: "file")
    let old = try site.open("file")
    try site.replace("file", by: "new")
    XCTAssertEqual(try site.text(of: "file"), "old")
    site.advance(.seconds(1))
    XCTAssertEqual(try site.text(of: "file"), "new")
    // Responses that send the old file send it to its end.
    XCTAssertEqual(try site.text(of: old), "old")
    XCTAssertEqual(site.files.statistics.fileCount, 1)
  }

  func test_removedFileIsNoticed_afterTheValidity() throws {
    let site = try KeptDirectory()
    try site.write("text", to: "file")
    _ = try site.open("file")
    try site.remove("file")
    XCTAssertEqual(try site.text(of: "file"), "text")
    site.advance(.seconds(1))
    XCTAssertEqual(try site.failure("file"), .noSuchFileOrDirectory)
    site.wait { try site.descriptorCount() == 0 }
    XCTAssertEqual(
      site.files.statistics, .init(hitCount: 1, missCount: 2, fileCount: 0, nameCount: 1))
  }

  func test_sizeIsTheOneBefore_ofAFileThatGrowsOrShrinks_untilTheValidityIsOver() throws {
    let site = try KeptDirectory()
    try site.write("four", to: "file")
    let tags = try ["longer", "one"].map { text in
      let before = try site.open("file")
      try site.write(text, to: "file")
      XCTAssertTrue(try site.open("file") === before)
      XCTAssertEqual(try site.text(of: before), text)
      site.advance(.seconds(1))
      let after = try site.open("file")
      XCTAssertEqual(after.status.byteCount, Int64(text.utf8.count))
      XCTAssertNotEqual(before.tag, after.tag)
      return after.tag
    }
    XCTAssertNotEqual(tags[0], tags[1])
  }

  func test_directoryAndFileChangePlaces_afterTheValidity() throws {
    let site = try KeptDirectory()
    try site.write("text", to: "one")
    try site.makeDirectory("two")
    _ = try site.outcomes(["one", "two"])
    try site.remove("one")
    try site.remove("two")
    try site.makeDirectory("one")
    try site.write("text", to: "two")
    XCTAssertNil(try site.failure("one"))
    XCTAssertEqual(try site.failure("two"), .isDirectory)
    XCTAssertEqual(site.opens.count, 2)
    site.advance(.seconds(1))
    XCTAssertEqual(try site.failure("one"), .isDirectory)
    XCTAssertEqual(try site.text(of: "two"), "text")
    XCTAssertEqual(site.files.statistics.fileCount, 1)
    XCTAssertEqual(site.files.statistics.nameCount, 1)
  }

  // MARK: Changes by this loop

  func test_replacedFileIsNoticedAtOnce_afterInvalidation() throws {
    let site = try KeptDirectory()
    try site.write("old", to: "file")
    _ = try site.open("file")
    try site.replace("file", by: "new")
    site.files.invalidate("file")
    XCTAssertEqual(try site.text(of: "file"), "new")
    XCTAssertEqual(try site.failure("other"), .noSuchFileOrDirectory)
    try site.write("made", to: "other")
    site.files.invalidate("other")
    XCTAssertEqual(try site.text(of: "other"), "made")
  }

  func test_openThatAChangeOvertakesIsNotKept() throws {
    let site = try KeptDirectory()
    try site.write("old", to: "file")
    let outcomes = try site.outcomes(["file"]) { site.files.invalidate("file") }
    XCTAssertEqual(site.files.statistics.fileCount, 0)
    XCTAssertEqual(try site.text(of: outcomes[0].get()), "old")
    try site.replace("file", by: "new")
    XCTAssertEqual(try site.text(of: "file"), "new")
  }

  func test_openAfterAChangeIsKept_andNotTheOneItOvertook() throws {
    let site = try KeptDirectory()
    try site.write("text", to: "file")
    var later: KeptDirectory.Outcome?
    let earlier = try site.outcomes(["file"]) {
      site.files.invalidate("file")
      site.files.open("file") { later = $0 }
    }
    site.wait { later != nil }
    XCTAssertFalse(try earlier[0].get() === later?.get())
    XCTAssertTrue(try site.open("file") === later?.get())
    XCTAssertEqual(site.opens.count, 2)
  }

  // MARK: Names without a file

  func test_missingNameIsKept_andNoticedAfterTheValidityWhenItIsMade() throws {
    let site = try KeptDirectory()
    for _ in 0..<3 { XCTAssertEqual(try site.failure("file"), .noSuchFileOrDirectory) }
    XCTAssertEqual(site.opens.count, 1)
    try site.write("text", to: "file")
    XCTAssertEqual(try site.failure("file"), .noSuchFileOrDirectory)
    site.advance(.seconds(1))
    XCTAssertEqual(try site.text(of: "file"), "text")
    XCTAssertEqual(site.files.statistics.nameCount, 0)
  }

  func test_directoryAndPipeAreNoFiles_andTakeNoDescriptor() throws {
    let site = try KeptDirectory()
    try site.makeDirectory("folder")
    XCTAssertEqual(unsafe mkfifo(site.path("pipe"), 0o644), 0)
    for _ in 0..<2 {
      XCTAssertEqual(try site.failure("folder"), .isDirectory)
      XCTAssertEqual(try site.failure("pipe"), .permissionDenied)
    }
    XCTAssertEqual(site.opens.count, 2)
    site.wait { try site.descriptorCount() == 0 }
  }

  func test_whatWentWrongOnceIsTriedAgain() throws {
    let site = try KeptDirectory()
    try site.write("text", to: "file")
    for errno in [Errno.ioError, .resourceTemporarilyUnavailable, .canceled] {
      site.fault = { _ in errno }
      XCTAssertEqual(try site.failure("file"), errno)
    }
    site.fault = { _ in nil }
    let file = try site.open("file")
    // It does not evict known entries either.
    site.advance(.seconds(1))
    site.fault = { _ in .ioError }
    XCTAssertEqual(try site.failure("file"), .ioError)
    site.fault = { _ in nil }
    XCTAssertTrue(try site.open("file") === file)
  }

  func test_longPathIsNotKept() throws {
    let site = try KeptDirectory()
    let path = (0..<600).map { _ in "a" }.joined(separator: "/")
    for _ in 0..<2 { XCTAssertEqual(try site.failure(path), .noSuchFileOrDirectory) }
    XCTAssertEqual(site.opens.count, 2)
    XCTAssertEqual(site.files.statistics.nameCount, 0)
  }

  func test_nameNeedNotBeText() throws {
    let site = try KeptDirectory()
    let names: [[UInt8]] = [[0x66, 0xFF], [0x66, 0xFE], [0x66], [0x66, 0xFF, 0x80]]
    for name in names {
      // The array ends with the required NUL.
      let path = unsafe FilePath(platformString: name.map { CChar(bitPattern: $0) } + [0])
      XCTAssertThrowsError(try site.outcome(path).get())
    }
    XCTAssertEqual(site.files.statistics.nameCount, names.count)
  }
}
