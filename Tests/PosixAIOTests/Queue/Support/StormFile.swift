import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// One file of a storm, and what has to be in it.
final class StormFile {
  static let blockByteCount = 24
  static let blockCount = 512

  let file: AIOFile
  let name: String
  /// What each block holds; nil where an answer was given before the kernel's, or while a request
  /// is unfinished.
  private(set) var blocks: [[UInt8]?]

  init(_ name: String, in folder: TemporaryDirectory, queue: CompletionQueue) throws {
    self.name = name
    let descriptor = try folder.open(name)
    guard ftruncate(descriptor.rawValue, Self.blockByteCount * Self.blockCount) == 0 else {
      throw Errno(rawValue: errno)
    }
    file = AIOFile(descriptor, queue: queue)
    blocks = .init(repeating: bytes(0, count: Self.blockByteCount), count: Self.blockCount)
  }

  static func offset(of block: Int) -> Int64 { Int64(block * blockByteCount) }

  /// Takes a block for one request alone.
  func take(_ block: Int) -> [UInt8]? {
    defer { blocks[block] = nil }
    return blocks[block]
  }

  func put(_ block: Int, _ content: [UInt8]) {
    blocks[block] = content
  }

  func verify(in folder: TemporaryDirectory, _ message: String) throws {
    let found = try folder.contents(of: name)
    for (number, block) in blocks.enumerated() {
      guard let block else { continue }
      let place = number * Self.blockByteCount
      XCTAssertTrue(
        found[place..<place + Self.blockByteCount].elementsEqual(block),
        "block \(number) of \(name), \(message)")
    }
    XCTAssertEqual(unsafe unlink(folder.path.appending(name).string), 0, message)
  }
}
