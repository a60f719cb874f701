import Foundation
import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import FileServer
@testable import Reactor

final class DirectoryListingTests: XCTestCase {
  func test_titleAndNamesAreEscaped() {
    let page = page("<i>&\"", [entry("<td><script>&\""), entry("sub<", S_IFDIR)])
    XCTAssertTrue(page.contains("<title>/&lt;i&gt;&amp;&quot;/</title>"), page)
    XCTAssertTrue(page.contains("<span> / </span>&lt;i&gt;&amp;&quot;</h1>"), page)
    XCTAssertTrue(page.contains(">&lt;td&gt;&lt;script&gt;&amp;&quot;</a>"), page)
    XCTAssertTrue(page.contains("href=\"%3Ctd%3E%3Cscript%3E%26%22\""), page)
    XCTAssertTrue(page.contains("<a href=\"sub%3C/\">sub&lt;/</a>"), page)
  }

  func test_markupIsEscaped_underACombiningMark() {
    let page = page("<\u{301}", [entry("<\u{301}&\u{301}>\u{301}\"\u{301}x")])
    let escaped = "&lt;\u{301}&amp;\u{301}&gt;\u{301}&quot;\u{301}x</a>"
    XCTAssertTrue(Array(page.utf8).contains(escaped), page)
    XCTAssertTrue(Array(page.utf8).contains("&lt;\u{301}</h1>"), page)
  }

  func test_hiddenNamesAreLeftOut_underACombiningMarkToo() {
    XCTAssertTrue(DirectoryListing.hides(".hidden".utf8Span.span))
    XCTAssertTrue(DirectoryListing.hides(".\u{301}hidden".utf8Span.span))
    XCTAssertFalse(DirectoryListing.hides("shown".utf8Span.span))
  }

  func test_sizeIsShown_ofFilesOnly() {
    let page = page(
      ".", [entry("file", byteCount: 1), entry("sub", S_IFDIR, byteCount: 2), entry("l", S_IFLNK)])
    XCTAssertTrue(page.contains("file</a></td><td title=\"1 bytes\">1 B</td>"), page)
    XCTAssertTrue(page.contains("sub/</a></td><td></td>"), page)
    XCTAssertTrue(page.contains("l</a></td><td></td>"), page)
  }

  func test_wayUpIsShown_exceptInTheRoot() {
    XCTAssertFalse(page(".", []).contains("../"))
    XCTAssertTrue(page("sub", []).contains("<a href=\"../\">"))
  }

  func test_linksOfTheBreadcrumbLeadUp() {
    let page = page("a/b<c/d", [])
    XCTAssertTrue(
      page.contains(
        "<a href=\"../../../\">root</a><span> / </span><a href=\"../../\">a</a><span> / </span>"
          + "<a href=\"../\">b&lt;c</a><span> / </span>d</h1>"), page)
  }

  func test_sizesAreForPeople() {
    for (byteCount, text) in [
      (0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (1500, "1.46 KiB"), (20_480, "20.0 KiB"),
      (1024 * 1024 - 1, "1023 KiB"), (1024 * 1024, "1.00 MiB"), (5_000_000_000, "4.65 GiB"),
      (.max, "7.99 EiB"), (-1, "0 B"),
    ] as [(Int64, String)] {
      XCTAssertEqual(sizeText(byteCount), text)
    }
  }

  func test_datesAreForPeople() {
    XCTAssertEqual(dateText(784_111_777), "1994-11-06 08:49")
    XCTAssertEqual(dateText(0), "1970-01-01 00:00")
  }

  func test_orderIsReadFromTheQuery() {
    for key in ListingOrder.Key.allCases {
      for isDescending in [true, false] {
        let order = ListingOrder(key: key, isDescending: isDescending)
        XCTAssertEqual(ListingOrder(query: "a&sort=\(order.value)&b"), order)
      }
    }
    for query in [nil, "", "sort", "sort=", "&&", "sort=%6Eame", "sort=-", "sort=--size"] {
      XCTAssertEqual(ListingOrder(query: query), ListingOrder())
    }
  }

  func test_policyHasTheHashesOfTheTexts() throws {
    for (text, hash) in [
      (listingStyle, listingStyleHash), (uploadScript, uploadScriptHash),
    ] {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
      let (input, output) = (Pipe(), Pipe())
      process.standardInput = input
      process.standardOutput = output
      try process.run()
      input.fileHandleForWriting.write(Data(text.utf8))
      try input.fileHandleForWriting.close()
      let digits = String(
        decoding: output.fileHandleForReading.readDataToEndOfFile().prefix(64), as: UTF8.self)
      process.waitUntilExit()
      let bytes = stride(from: 0, to: 64, by: 2).compactMap { place in
        UInt8(digits.dropFirst(place).prefix(2), radix: 16)
      }
      XCTAssertEqual(hash, "sha256-" + Data(bytes).base64EncodedString())
    }
  }

  private func page(_ path: FilePath, _ entries: [Directory.Entry]) -> String {
    let listing = DirectoryListing(path: path, order: ListingOrder())
    var (names, sum, page) = (ListedNames(), DirectoryListing.Sum(), HTMLText())
    for entry in entries { names.append(entry.name.string.utf8Span.span, entry.status) }
    listing.appendHead(isSorted: true, to: &page)
    for item in names.items {
      DirectoryListing.appendRow(item, named: names.name(of: item), to: &page)
      sum.add(item)
    }
    listing.appendTail(sum, to: &page)
    return String(decoding: page.bytes, as: UTF8.self)
  }

  private func entry(
    _ name: FilePath.Component, _ type: mode_t = S_IFREG, byteCount: Int = 0
  ) -> Directory.Entry {
    var status = stat()
    status.st_mode = type | 0o644
    status.st_size = byteCount
    return Directory.Entry(name: name, status: FileStatus(status))
  }
}
