import Glibc
import SystemPackage
import XCTest

@testable import FileServer
@testable import Reactor

final class FolderListingTests: XCTestCase {
  func test_titleAndNamesAreEscaped() {
    let page = FolderListing.page(
      title: "<i>&\"", [entry("<td><script>&\""), entry("sub<", S_IFDIR)])
    XCTAssertTrue(page.contains("<title>/&lt;i&gt;&amp;&quot;/</title>"), page)
    XCTAssertTrue(page.contains("<h1>/&lt;i&gt;&amp;&quot;/</h1>"), page)
    XCTAssertTrue(page.contains(">&lt;td&gt;&lt;script&gt;&amp;&quot;</a>"), page)
    XCTAssertTrue(page.contains("href=\"%3Ctd%3E%3Cscript%3E%26%22\""), page)
    XCTAssertTrue(page.contains("<a href=\"sub%3C/\">sub&lt;/</a>"), page)
  }

  func test_markupIsEscaped_underACombiningMark() {
    let page = FolderListing.page(title: "<\u{301}", [entry("<\u{301}&\u{301}>\u{301}\"\u{301}x")])
    let escaped = "&lt;\u{301}&amp;\u{301}&gt;\u{301}&quot;\u{301}x</a>"
    XCTAssertTrue(Array(page.utf8).contains(escaped), page)
    XCTAssertTrue(Array(page.utf8).contains("<h1>/&lt;\u{301}/</h1>"), page)
  }

  func test_hiddenNamesAreLeftOut_underACombiningMarkToo() {
    let page = FolderListing.page(
      title: ".", [entry(".hidden"), entry(".\u{301}hidden"), entry("shown")])
    XCTAssertFalse(page.contains("hidden"))
    XCTAssertTrue(page.contains("shown"))
  }

  func test_sizeIsShown_ofFilesOnly() {
    let page = FolderListing.page(
      title: ".",
      [entry("file", byteCount: 1), entry("sub", S_IFDIR, byteCount: 2), entry("l", S_IFLNK)])
    XCTAssertTrue(page.contains("file</a></td><td>1</td>"), page)
    XCTAssertTrue(page.contains("sub/</a></td><td></td>"), page)
    XCTAssertTrue(page.contains("l</a></td><td></td>"), page)
  }

  func test_wayUpIsShown_exceptInTheRoot() {
    XCTAssertFalse(FolderListing.page(title: ".", []).contains("../"))
    XCTAssertTrue(FolderListing.page(title: "sub", []).contains("<a href=\"../\">"))
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
