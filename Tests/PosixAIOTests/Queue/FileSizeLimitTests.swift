import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// EFBIG in the middle of what is written, merged and not.
final class FileSizeLimitTests: XCTestCase {
  override func setUp() { signal(SIGXFSZ, SIG_IGN) }
  override func tearDown() { signal(SIGXFSZ, SIG_DFL) }

  func test_eachWriteTellsItsOwnBytes_whenTheLimitIsInTheMiddle() throws {
    for mergesWrites in [true, false] {
      for appends in [true, false] {
        // On the limit, behind it and before it, by one byte.
        for limit in [15_000, 15_001, 14_999, 500, 0] {
          try writeOneThousandEach(limit, mergesWrites: mergesWrites, appends: appends)
        }
      }
    }
  }

  private func writeOneThousandEach(_ limit: Int, mergesWrites: Bool, appends: Bool) throws {
    let folder = try TemporaryDirectory()
    let ledger = Ledger()
    let queue = try CompletionQueue(configuration: .with { $0.mergesWrites = mergesWrites })
    let file = AIOFile(
      try folder.open("file", options: appends ? [.create, .append] : [.create]), queue: queue)
    try ResourceLimit.fileSize.lowered(to: UInt(limit)) {
      for number in 0..<50 {
        let block = Pattern.block(number, byteCount: 1000)
        try file.write(IOBuffer(copying: block), at: Int64(number * 1000), ledger.transfer())
      }
      try file.sync(ledger.sync())
      try queue.runUntilIdle()
    }
    let fitting = limit / 1000
    ledger.assertAll(.moved(1000), in: 0..<fitting)
    XCTAssertEqual(ledger[fitting], .failed(.fileTooLarge, byteCountDone: limit % 1000))
    ledger.assertAll(.failed(.fileTooLarge), in: fitting + 1..<51)
    let expected = (0..<50).flatMap { Pattern.block($0, byteCount: 1000) }.prefix(limit)
    XCTAssertTrue(try folder.contents(of: "file") == Array(expected))
    XCTAssertEqual(queue.statistics.mergedWriteCount > 0, mergesWrites)
    queue.assertIdle()
    // Without the limit the file goes on, and its syncs do not.
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    try file.sync(ledger.sync())
    let reopened = AIOFile(try folder.open("file"), queue: queue)
    try reopened.sync(ledger.sync())
    try queue.runUntilIdle()
    XCTAssertEqual(ledger[51], .moved(1))
    XCTAssertEqual(ledger[52], .failed(.fileTooLarge))
    XCTAssertEqual(ledger[53], .done)
  }
}
