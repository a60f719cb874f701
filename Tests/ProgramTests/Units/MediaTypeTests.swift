import Glibc
import PosixAIO
import ReactorHTTP
import SystemPackage
import XCTest

@testable import FileServer
@testable import Reactor

final class MediaTypeTests: XCTestCase {
  func test_contentTypeFollowsTheExtension_inAnyCase() {
    for (path, type) in [
      ("index.html", "text/html; charset=utf-8"), ("A.HTML", "text/html; charset=utf-8"),
      ("a/b.c.css", "text/css; charset=utf-8"), ("x.js", "text/javascript; charset=utf-8"),
      ("x.json", "application/json"), ("x.png", "image/png"), ("x.JPG", "image/jpeg"),
      ("x.svg", "image/svg+xml"), ("x.wasm", "application/wasm"), ("x.tar.gz", "application/gzip"),
    ] as [(FilePath, String)] {
      XCTAssertEqual(MediaType(of: path).name, type, "\(path)")
    }
  }

  func test_contentTypeIsKnown_ofWhatBrowsersPlayAndReadersOpen() {
    for (name, type) in [
      ("m3u8", "application/vnd.apple.mpegurl"), ("mpd", "application/dash+xml"),
      ("srt", "application/x-subrip"), ("torrent", "application/x-bittorrent"),
      ("geojson", "application/geo+json"), ("3gp", "video/3gpp"), ("mka", "audio/x-matroska"),
      ("ttc", "font/collection"), ("heif", "image/heif"), ("whl", "application/zip"),
      ("cbz", "application/vnd.comicbook+zip"), ("mobi", "application/x-mobipocket-ebook"),
    ] {
      XCTAssertEqual(MediaType(of: FilePath("x.\(name)")).name, type, name)
    }
  }

  func test_tableOfTheSystemIsRead_andItsMistakesAreSkipped() {
    let table = MediaType.table(
      """
      # A comment
      text/x-one\tone uno # a comment
      application/x-two   TWO
      application/x-none
      broken three
      te xt/x four
      text/x\u{7F}y five
      a/b/c six
      text/ seven
      """)
    XCTAssertEqual(Set(table.keys), ["one", "uno", "two"])
    XCTAssertEqual(table["uno"]?.name, "text/x-one; charset=utf-8")
    XCTAssertEqual(table["two"]?.name, "application/x-two")
  }

  func test_contentTypeIsBytes_whenTheExtensionSaysNothing() {
    for path in ["README", "x.frob", "x.", ".html", "html", "a.html/b"] as [FilePath] {
      XCTAssertEqual(MediaType(of: path).name, "application/octet-stream", "\(path)")
    }
  }

  func test_textHasACharset_andWhatCompressesWellIsKnown() {
    for (path, type, isCompressible) in [
      ("a.txt", "text/plain; charset=utf-8", true), ("a.md", "text/markdown; charset=utf-8", true),
      ("a.csv", "text/csv; charset=utf-8", true), ("a.svg", "image/svg+xml", true),
      ("a.webmanifest", "application/manifest+json; charset=utf-8", true),
      ("a.json", "application/json", true), ("a.jpg", "image/jpeg", false),
      ("a.zip", "application/zip", false), ("a", "application/octet-stream", false),
      ("a.wasm", "application/wasm", true), ("a.webm", "video/webm", false),
    ] as [(FilePath, String, Bool)] {
      XCTAssertEqual(MediaType(of: path).name, type, "\(path)")
      XCTAssertEqual(MediaType(of: path).isCompressible, isCompressible, "\(path)")
    }
  }

  func test_entityTagIsQuoted_andDiffersWithEachPart() {
    func tag(_ inode: UInt, _ byteCount: Int, _ seconds: Int, _ nanoseconds: Int) -> String {
      var status = stat()
      status.st_ino = inode
      status.st_size = byteCount
      status.st_mtim = timespec(tv_sec: seconds, tv_nsec: nanoseconds)
      return EntityTag(FileStatus(status)).description
    }
    let tags = [
      tag(1, 2, 3, 4), tag(9, 2, 3, 4), tag(1, 9, 3, 4), tag(1, 2, 9, 4), tag(1, 2, 3, 9),
      tag(0x12, 3, 4, 5), tag(1, 0x23, 4, 5), tag(1, 2, -3, 4),
    ]
    XCTAssertEqual(Set(tags).count, tags.count)
    XCTAssertEqual(tags[0], "\"1-2-3-4\"")
    for tag in tags { XCTAssertTrue(tag.hasPrefix("\"") && tag.hasSuffix("\""), tag) }
  }

  func test_errorsOfReadingAndWritingHaveTheirStatus() {
    for (errno, reading, writing) in [
      (.noSuchFileOrDirectory, 404, 409), (.notDirectory, 404, 409), (.improperLink, 404, 404),
      (.tooManySymbolicLinkLevels, 404, 404), (.fileNameTooLong, 404, 404),
      (.permissionDenied, 403, 403), (.notPermitted, 403, 403), (.readOnlyFileSystem, 500, 403),
      (.tooManyOpenFiles, 503, 503), (.noSpace, 500, 507), (.diskQuotaExceeded, 500, 507),
      (.fileTooLarge, 500, 413), (.isDirectory, 500, 409), (.ioError, 500, 500),
    ] as [(Errno, Int, Int)] {
      XCTAssertEqual(HTTPStatus(readingFailedWith: errno).code, reading, "\(errno)")
      XCTAssertEqual(HTTPStatus(writingFailedWith: errno).code, writing, "\(errno)")
    }
  }
}
