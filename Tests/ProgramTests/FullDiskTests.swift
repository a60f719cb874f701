import Foundation
import SystemPackage
import TestSupport
import XCTest

/// Uploads to a disk of 1 MiB. Only the server sees the disk, and it ends with the server, whatever
/// the outcome of the test.
final class FullDiskTests: SiteTestCase {
  func test_oldFileStaysAndNothingIsLeft_whenTheDiskIsFull() throws {
    let site = try serveSmallDisk()
    let old = Pattern.block(1, byteCount: 100_000)
    XCTAssertEqual(try site.put("/file", old).code, 201)
    let tooMuch = Pattern.block(2, byteCount: 3 * 1024 * 1024)
    for target in ["/file", "/new"] {
      let response = try site.put(target, tooMuch)
      XCTAssertEqual(response.code, 507, target)
      XCTAssertEqual(response.text, "Insufficient Storage\n", target)
    }
    XCTAssertEqual(try site.names(), ["file"])
    XCTAssertEqual(try site.contents(of: "file"), old)
    XCTAssertEqual(try site.get("/file").body, old)
  }

  func test_spaceOfAFailedUploadComesBack() throws {
    let site = try serveSmallDisk()
    let fitting = Pattern.block(3, byteCount: 900_000)
    for _ in 0..<3 {
      XCTAssertEqual(try site.put("/new", Pattern.block(4, byteCount: 1_100_000)).code, 507)
    }
    XCTAssertEqual(try site.put("/new", fitting).code, 201)
    XCTAssertEqual(try site.contents(of: "new"), fitting)
    // The old and the new file do not both fit, and neither is lost.
    XCTAssertEqual(try site.put("/new", fitting.reversed()).code, 507)
    XCTAssertEqual(try site.contents(of: "new"), fitting)
    XCTAssertEqual(try site.names(), ["new"])
  }

  private func serveSmallDisk() throws -> Site {
    try serve("--upload") { root in
      let mount = "mount -t tmpfs -o size=1m,mode=755 none \"$0\" && exec \"$@\""
      let launcher = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", mount, root.string]
      guard try Command.run(launcher + ["/bin/true"]) == 0 else {
        throw XCTSkip("mounting a tmpfs in a namespace of its own is not allowed here")
      }
      return launcher
    }
  }
}
