import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

/// What the kernel's readv(2) and writev(2) refuse or cut, vectored operations do too.
final class VectorLimitTests: OperationTestCase {
  private static let mostPieces = 1024

  func test_vectorMayHaveIOVMaxBuffers_andNoMore() throws {
    let file = try file()
    let most = IOVector([String](repeating: "x", count: Self.mostPieces))
    let write = AIOWritev(file, offset: 0, most)
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), Self.mostPieces)

    let tooMany = [String](repeating: "y", count: Self.mostPieces + 1)
    let refusedWrite = AIOWritev(file, offset: 0, IOVector(tooMany))
    assertThrows(.invalidArgument, try refusedWrite.submit())
    XCTAssertFalse(refusedWrite.isInProgress)
    let refusedRead = AIOReadv(
      file, offset: 0, into: IOVector(capacities: [Int](repeating: 1, count: tooMany.count)))
    assertThrows(.invalidArgument, try refusedRead.submit())
    XCTAssertFalse(refusedRead.isInProgress)
    XCTAssertEqual(try text(), String(repeating: "x", count: Self.mostPieces))
  }

  func test_submitIsRefused_whenTheSumIsMoreThanASignedSizeHolds() throws {
    // Nothing is there, and nothing is touched.
    let start = unsafe UnsafeMutableRawPointer(bitPattern: 4096)
    let pieces = unsafe [
      UnsafeMutableRawBufferPointer(start: start, count: .max),
      UnsafeMutableRawBufferPointer(start: start, count: 1),
    ]
    let read = unsafe AIOReadv(try file(), offset: 0, unsafeInto: pieces)
    assertThrows(.invalidArgument, try read.submit())
    let write = unsafe AIOWritev(
      try file(), offset: 0, unsafeFrom: pieces.map { UnsafeRawBufferPointer($0) })
    assertThrows(.invalidArgument, try write.submit())
  }

  func test_readTakesNoMoreMemoryThanTheKernelFills_whenThePiecesAreHuge() throws {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 6, alignment: 1)
    defer { unsafe memory.deallocate() }
    // As large as the address space, of which only the file's six bytes are touched.
    let pieces = unsafe [
      UnsafeMutableRawBufferPointer(start: memory.baseAddress, count: 1 << 46),
      UnsafeMutableRawBufferPointer(start: memory.baseAddress, count: 1 << 46),
    ]
    let read = unsafe AIOReadv(try file("abcdef"), offset: 0, unsafeInto: pieces)
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 6)
    XCTAssertEqual(unsafe Array(memory), Array("abcdef".utf8))
  }

  func test_vectorOfOneBufferMayBeLargerThanAPage() throws {
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
    var vector = IOVector()
    vector.append(IOBuffer(copying: bytes[..<70_000]))
    vector.append(IOBuffer(copying: bytes[70_000...]))
    let file = try file()
    let write = AIOWritev(file, offset: 0, vector)
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), bytes.count)
    XCTAssertEqual(try folder.contents(of: "file"), bytes)
  }
}
