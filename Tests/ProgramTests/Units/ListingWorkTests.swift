import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import FileServer
@testable import Reactor

final class ListingWorkTests: XCTestCase {
  private static let nameCount = 5000

  func test_listingHoldsNoMoreNamesThanAllowed_andIsNotSortedThen() throws {
    for (limit, isSorted) in [(0, false), (100_000, false), (10_000_000, true)] {
      let work = try makeWork()
      var (page, held): ([UInt8], Int) = ([], 0)
      while true {
        let step = try work.step(holding: limit)
        held = max(held, work.heldByteCount)
        guard case .piece(let bytes, let isLast) = step else { continue }
        page += bytes
        XCTAssertLessThan(bytes.count, ListingWork.pieceByteCount + 1024)
        if isLast { break }
      }
      let text = String(decoding: page, as: UTF8.self)
      let names = text.split(separator: "<td><a href=\"").dropFirst()
        .map { String($0.prefix { $0 != "\"" }) }
      let expected = (0..<Self.nameCount).map { "\($0)" }.sorted()
      XCTAssertEqual(isSorted ? names : names.sorted(), expected, "\(limit)")
      XCTAssertEqual(text.contains("too many names to sort"), !isSorted, "\(limit)")
      XCTAssertEqual(text.contains("<button"), isSorted, "\(limit)")
      XCTAssertTrue(text.contains("0 directories, 5000 files, 0 B"), "\(limit)")
      // Names of one step more than the limit, with 36 bytes for each.
      if !isSorted { XCTAssertLessThan(held, limit + ListingWork.namesPerStep * 40) }
      XCTAssertEqual(work.heldByteCount, 0)
    }
  }

  func test_namesAreSortedByEachKey_andDirectoriesComeFirst() {
    var names = ListedNames()
    for (name, type, byteCount, seconds) in [
      ("b", S_IFREG, 1, 30), ("a", S_IFREG, 3, 20), ("\u{FC}", S_IFREG, 2, 20),
      ("z", S_IFDIR, 9, 10), ("A", S_IFREG, 2, 40), ("link", S_IFLNK, 99, 50),
    ] as [(String, mode_t, Int, Int)] {
      var status = stat()
      status.st_mode = type | 0o644
      status.st_size = byteCount
      status.st_mtim = timespec(tv_sec: seconds, tv_nsec: 0)
      names.append(name.utf8Span.span, FileStatus(status))
    }
    for (query, sorted) in [
      ("sort=name", "z A a b link \u{FC}"), ("sort=-name", "z \u{FC} link b a A"),
      ("sort=size", "z link b A \u{FC} a"), ("sort=-size", "z a \u{FC} A b link"),
      ("sort=date", "z a \u{FC} b A link"), ("sort=-date", "z link A b \u{FC} a"),
    ] {
      names.sort(by: ListingOrder(query: query))
      let shown = names.items.map { String(decoding: names.name(of: $0), as: UTF8.self) }
      XCTAssertEqual(shown.joined(separator: " "), sorted, query)
    }
  }

  private func makeWork() throws -> ListingWork {
    let folder = try TemporaryDirectory()
    for index in 0..<Self.nameCount { try folder.write([], to: "\(index)") }
    let loop = try EventLoop()
    var opened: Result<Directory, FileError>?
    Directory.open(folder.path, on: loop) { result in
      opened = result
      loop.stop()
    }
    loop.run()
    let directory = try XCTUnwrap(opened).get()
    let listing = DirectoryListing(path: ".", order: ListingOrder())
    // The descriptor is open, so the names can be read as long as the directory has them.
    addTeardownBlock { withExtendedLifetime((folder, loop)) {} }
    return ListingWork(listing, of: directory)
  }
}
