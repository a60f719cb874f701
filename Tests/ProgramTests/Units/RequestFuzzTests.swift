import Foundation
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage
import TestSupport
import XCTest

@testable import FileServer

/// Nearly valid input from clients. `FUZZ_CASES=1000000 swift test --filter RequestFuzzTests` runs
/// more cases, and `AIO_TEST_SEED` repeats a run.
final class RequestFuzzTests: XCTestCase {
  private let seed = testSeed()
  private let caseCount = fuzzCaseCount(default: 20_000)

  func test_noTargetLeadsOutOfTheRoot() throws {
    let site = try EscapableSite()
    var fuzzer = TextFuzzer(RequestCorpus.targets, seed: seed)
    var openedCount = 0
    for _ in 0..<caseCount {
      let target = fuzzer.next()
      guard let request = RequestPath(target) else { continue }
      let names = request.path.components.map(\.bytes)
      guard request.path.root == nil, !names.contains(Array("..".utf8)),
        !names.joined().contains(0)
      else { return XCTFail("\(target.debugDescription) is \(request.path), seed \(seed)") }
      guard request.endsInSlash || isKept(request, target) else {
        return XCTFail("\(target.debugDescription) is lost in a redirect, seed \(seed)")
      }
      guard let opened = try site.open(request.path) else { continue }
      openedCount += 1
      guard opened else {
        return XCTFail("\(target.debugDescription) leads out of the root, seed \(seed)")
      }
    }
    XCTAssertGreaterThan(openedCount, caseCount / 100)
  }

  /// Whether the reference to the directory leads to the same path again, in a single name.
  private func isKept(_ request: RequestPath, _ target: String) -> Bool {
    let reference = RequestPath.directoryReference(target, query: nil)
    guard let slash = target.utf8.lastIndex(of: UInt8(ascii: "/")),
      !reference.dropLast().contains("/"), !reference.contains(":")
    else { return false }
    let parent = String(Substring(target.utf8[...slash]))
    return RequestPath(parent + reference)?.path == request.path
  }

  func test_percentEncodingIsUndoneByDecoding() {
    var fuzzer = TextFuzzer(RequestCorpus.targets + RequestCorpus.headers, seed: seed)
    for _ in 0..<caseCount {
      let bytes = fuzzer.nextBytes()
      guard percentDecoded(percentEncoded(bytes)) == bytes else {
        return XCTFail("\(bytes), seed \(seed)")
      }
      // Decoding never makes a text longer.
      let text = String(decoding: bytes, as: UTF8.self)
      guard percentDecoded(text)?.count ?? 0 <= text.utf8.count else {
        return XCTFail("\(text.debugDescription), seed \(seed)")
      }
    }
  }

  func test_rangesLieInTheFile_withoutOverlaps() {
    var fuzzer = TextFuzzer(RequestCorpus.ranges, seed: seed)
    for number in 0..<caseCount {
      let header = fuzzer.next()
      let sizes: [Int64] = [0, 1, 2, 100, 1000, .max, fuzzer.number(in: 0 ... .max)]
      let byteCount = sizes[number % sizes.count]
      guard case .parts(let parts) = ByteRanges(header, byteCount: byteCount) else { continue }
      let sorted = parts.sorted { $0.lowerBound < $1.lowerBound }
      let isRight =
        !parts.isEmpty && parts.count <= ByteRanges.maximumCount
        && parts.allSatisfy { !$0.isEmpty && $0.lowerBound >= 0 && $0.upperBound <= byteCount }
        && zip(sorted, sorted.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound }
      guard isRight else {
        return XCTFail("\(header.debugDescription) of \(byteCount): \(parts), seed \(seed)")
      }
    }
  }

  func test_noHeaderIsFatal_andWhatIsReadCanBeWritten() {
    var fuzzer = TextFuzzer(RequestCorpus.headers + RequestCorpus.ranges, seed: seed)
    let date = HTTPDate(secondsSinceEpoch: 784_111_777)
    let current = Conditions.Current(tag: EntityTag("a"), modified: date)
    let names = [
      "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range",
    ]
    for number in 0..<caseCount {
      let text = fuzzer.next()
      var headers = HeaderFields()
      headers.add(names[number % names.count], text)
      let conditions = Conditions(headers)
      _ = conditions.outcome(current, isReading: number.isMultiple(of: 2))
      _ = conditions.allowRange(of: current, now: date)
      _ = AcceptedEncodings(text).preferred
      _ = ListingOrder(query: text)
      if let read = HTTPDate(text), HTTPDate(read.description) != read {
        return XCTFail("\(text.debugDescription) is \(read), seed \(seed)")
      }
      guard case .list(let tags) = EntityTags(text) else { continue }
      guard tags.allSatisfy({ EntityTags($0.description) == .list([$0]) }) else {
        return XCTFail("\(text.debugDescription) has \(tags), seed \(seed)")
      }
    }
  }
}

/// A root with links that lead inside and outside.
private final class EscapableSite {
  private let outside: TemporaryDirectory
  private let inside: TemporaryDirectory
  private let root: FileDescriptor
  private let secret: Identity

  private struct Identity: Equatable {
    let device: UInt64
    let inode: UInt64

    init(_ file: FileDescriptor) throws {
      var status = stat()
      guard unsafe fstat(file.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
      device = UInt64(status.st_dev)
      inode = UInt64(status.st_ino)
    }
  }

  init() throws {
    outside = try TemporaryDirectory()
    try outside.write("secret".utf8, to: "secret")
    inside = try TemporaryDirectory()
    let manager = FileManager.default
    let folder = inside.path.appending("folder").string
    try manager.createDirectory(atPath: folder, withIntermediateDirectories: false)
    for name in ["a", "file", "file name", "\u{e9}", "folder/file", "..a", "..."] {
      try inside.write(name.utf8, to: name)
    }
    for (link, target) in [
      ("link", outside.path.string), ("inside", "folder"), ("folder/up", ".."),
      ("folder/secret", "../../\(outside.path.lastComponent?.string ?? "")/secret"),
    ] {
      try manager.createSymbolicLink(
        atPath: inside.path.appending(link).string, withDestinationPath: target)
    }
    root = try FileDescriptor.open(inside.path, .readOnly, options: [.directory, .closeOnExec])
    let file = try FileDescriptor.open(outside.path.appending("secret"), .readOnly)
    secret = try Identity(file)
    try file.close()
  }

  deinit {
    try? root.close()
  }

  /// - Returns: Nil if it does not open, false if it is outside the root.
  func open(_ path: FilePath) throws -> Bool? {
    for isFromMemory in [true, false] {
      guard
        let file = isFromMemory
          ? openBeneathFromMemory(root, path, flags: O_RDONLY | O_NONBLOCK)
          : try? openBeneath(root, path, flags: O_RDONLY | O_NONBLOCK, permissions: [])
      else { continue }
      defer { try? file.close() }
      return try isInside(file)
    }
    return nil
  }

  private func isInside(_ file: FileDescriptor) throws -> Bool {
    guard try Identity(file) != secret else { return false }
    // The current path in the kernel.
    let place = try FileManager.default.destinationOfSymbolicLink(
      atPath: "/proc/self/fd/\(file.rawValue)")
    return place == inside.path.string || place.hasPrefix(inside.path.string + "/")
  }
}
