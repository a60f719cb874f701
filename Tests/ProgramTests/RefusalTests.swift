import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

final class RefusalTests: SiteTestCase {
  func test_methodIsRefusedWithThoseThatAreAllowed() throws {
    let site = try serve()
    try site.write("here".utf8, to: "file")
    for method in ["DELETE", "POST", "PUT", "PATCH", "OPTIONS", "TRACE", "FROBNICATE", "get"] {
      let response = try site.ask(method, "/file")
      XCTAssertEqual(response.code, 405, method)
      XCTAssertEqual(response["Allow"], "GET, HEAD", method)
    }
    XCTAssertEqual(try site.text(of: "file"), "here")
  }

  func test_methodIsRefusedWithThoseThatAreAllowed_whenUploadsAre() throws {
    let site = try serve("--upload")
    try site.write("here".utf8, to: "file")
    for method in ["DELETE", "POST", "PATCH", "MKCOL", "FROBNICATE"] {
      let response = try site.ask(method, "/file")
      XCTAssertEqual(response.code, 405, method)
      XCTAssertEqual(response["Allow"], "GET, HEAD, PUT", method)
    }
    XCTAssertEqual(try site.text(of: "file"), "here")
  }

  func test_putIsRefused_withoutTheUploadFlag() throws {
    let site = try serve()
    try site.write("here".utf8, to: "file")
    for target in ["/file", "/new"] {
      let response = try site.put(target, "changed".utf8)
      XCTAssertEqual(response.code, 405, target)
      XCTAssertEqual(response["Allow"], "GET, HEAD", target)
    }
    XCTAssertEqual(try site.names(), ["file"])
    XCTAssertEqual(try site.text(of: "file"), "here")
  }

  func test_pipeIsForbidden_withoutWaitingForItsOtherEnd() throws {
    let site = try serve()
    try site.makeNode("pipe", S_IFIFO)
    try site.makeNode("index.html", S_IFIFO)
    for target in ["/pipe", "/"] {
      XCTAssertEqual(try site.get(target).code, 403, target)
      XCTAssertEqual(try site.ask("HEAD", target).code, 403, target)
    }
  }

  func test_deviceIsForbidden() throws {
    let site = try serve()
    // /dev/zero, which is endless: major 1, minor 5.
    do throws(Errno) {
      try site.makeNode("zero", S_IFCHR, device: 1 << 8 | 5)
    } catch {
      throw XCTSkip("a device cannot be made here: \(error)")
    }
    XCTAssertEqual(try site.get("/zero").code, 403)
    XCTAssertEqual(try site.ask("HEAD", "/zero").code, 403)
  }

  // MARK: Permissions

  func test_unreadableIsForbidden() throws {
    let site = try serve("--upload", launcher: { _ in try Self.asUnprivilegedUser() })
    try site.write("readable".utf8, to: "readable")
    try site.write("unreadable".utf8, to: "unreadable")
    try site.makeDirectory("closed")
    try site.write("unreadable".utf8, to: "closed/file")
    try site.setPermissions(0o644, of: "readable")
    try site.setPermissions(0, of: "unreadable")
    try site.setPermissions(0, of: "closed")
    XCTAssertEqual(try site.get("/readable").text, "readable")
    for target in ["/unreadable", "/closed/", "/closed", "/closed/file"] {
      let response = try site.get(target)
      XCTAssertEqual(response.code, 403, target)
      XCTAssertEqual(response.text, "Forbidden\n", target)
    }
  }

  func test_uploadIsForbidden_whereTheServerMayNotWrite() throws {
    let site = try serve("--upload", launcher: { _ in try Self.asUnprivilegedUser() })
    try site.write("old".utf8, to: "file")
    for target in ["/file", "/new"] {
      XCTAssertEqual(try site.put(target, "new".utf8).code, 403, target)
    }
    XCTAssertEqual(try site.names(), ["file"])
    XCTAssertEqual(try site.text(of: "file"), "old")
  }

  /// A command that starts the program as an unprivileged user; root passes every permission check.
  private static func asUnprivilegedUser() throws -> [String] {
    let command = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    guard FileManager.default.isExecutableFile(atPath: command[0]) else {
      throw XCTSkip("there is no \(command[0])")
    }
    guard try Command.run(command + [Command.serverPath(), "--help"]) == 0 else {
      throw XCTSkip("another user cannot be given the program to run")
    }
    return command
  }
}
