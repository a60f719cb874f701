import XCTest

@testable import Stress

final class BlockFormatTests: XCTestCase {
  private let format = BlockFormat(fileID: 11, blockByteCount: 192)

  private func block(_ format: BlockFormat, offset: Int64 = 4096, version: UInt64 = 5) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: format.blockByteCount)
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    format.fill(&raw, offset: offset, version: version)
    return bytes
  }

  private func fault(_ bytes: [UInt8], _ expected: BlockState.Content) -> String? {
    unsafe format.fault(in: bytes.span.bytes, offset: 4096, expected: expected)
  }

  func test_blockIsKnownAgain() {
    XCTAssertNil(fault(block(format), .version(5)))
    XCTAssertNil(fault(block(format), .oneOf([4, 5])))
    XCTAssertNil(fault(block(format), .mixtureOf([5, 6])))
  }

  func test_everyChangedByteIsFound_andItsPlaceTold() {
    let good = block(format)
    for place in good.indices {
      var bytes = good
      bytes[place] ^= 1 << (place % 8)
      for expected: BlockState.Content in [.version(5), .oneOf([5, 6]), .mixtureOf([5, 6])] {
        let fault = fault(bytes, expected)
        // The other version may have the byte by chance, and then the block is torn.
        XCTAssertTrue(
          fault?.contains("first at byte \(place) ") ?? (expected == .mixtureOf([5, 6])),
          "\(place): \(fault ?? "nothing")")
      }
    }
  }

  func test_whatStandsThereInsteadIsNamed() {
    for (bytes, words) in [
      (block(format, version: 4), "there is version 4 of the block at 4096"),
      (block(format, offset: 8192), "there is version 5 of the block at 8192"),
      (block(BlockFormat(fileID: 12, blockByteCount: 192)), "a block of an earlier file"),
      ([UInt8](repeating: 0, count: 192), "nothing but zeros"),
      ([UInt8](repeating: 1, count: 192), "something that is no block"),
    ] {
      XCTAssertTrue(fault(bytes, .version(5))?.contains(words) ?? false, words)
    }
  }

  func test_mixtureIsAllowedOnlyWhileSomethingIsWritten() {
    let mixture = block(format, version: 6)[..<100] + block(format, version: 5)[100...]
    XCTAssertNil(fault(Array(mixture), .mixtureOf([5, 6])))
    XCTAssertTrue(fault(Array(mixture), .oneOf([5, 6]))?.contains("is torn") ?? false)
    XCTAssertNotNil(fault(Array(mixture), .version(6)))
    XCTAssertNotNil(fault(Array(mixture), .mixtureOf([5, 7])))
  }

  func test_blockIsFoundAnywhereInAPiece() {
    let piece = [UInt8](repeating: 9, count: 192) + block(format)
    unsafe XCTAssertTrue(format.matches(piece.span.bytes, from: 192, offset: 4096, version: 5))
    unsafe XCTAssertFalse(format.matches(piece.span.bytes, from: 0, offset: 4096, version: 5))
  }
}
