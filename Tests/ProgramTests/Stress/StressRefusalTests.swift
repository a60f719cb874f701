import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

/// Files that are not to be touched, and places where there is no load.
final class StressRefusalTests: StressTestCase {
  func test_fileOfAnotherProgramStays() throws {
    let foreign = Pattern.block(1, byteCount: 10_000)
    for content in [foreign, [], Array("aio-stress file, format".utf8)] {
      try directory.write(content, to: "file")
      assertRefused(try run("--ops", "10"), naming: "--overwrite")
      XCTAssertEqual(try directory.contents(of: "file"), content)
    }
  }

  func test_fileOfAnotherProgramIsTaken_whenToldTo() throws {
    try directory.write(Pattern.block(1, byteCount: 1_000_000), to: "file")
    XCTAssertEqual(try run("--ops", "100", "--overwrite").status, 0)
    XCTAssertTrue(exists("file"), "it was there before")
    XCTAssertEqual(try directory.contents(of: "file").count, Self.smallByteCount)
  }

  func test_keptFileIsTakenAgain() throws {
    XCTAssertEqual(try run("--ops", "100", "--keep").status, 0)
    XCTAssertTrue(try directory.contents(of: "file").starts(with: "aio-stress file".utf8))
    XCTAssertEqual(try run("--ops", "100", "--size", "128K").status, 0)
    XCTAssertEqual(try directory.contents(of: "file").count, 4096 + 128 * 1024)
  }

  func test_fileInUseStays() throws {
    let first = try StressProcess(Self.small + ["--duration", "1000"], in: directory)
    try waitUntilWhole()
    let elsewhere = try TemporaryDirectory()
    let path = directory.path.appending("file").string
    let second = try StressProcess(
      ["--file", path, "--size", "64K", "--ops", "10"], in: elsewhere
    ).waitForEnd()
    assertRefused(second, naming: "in use")
    first.send(SIGINT)
    XCTAssertEqual(try first.waitForEnd().status, 0)
  }

  func test_whatIsNoFileStays() throws {
    unsafe XCTAssertEqual(mkdir(directory.path.appending("directory").string, 0o755), 0)
    unsafe XCTAssertEqual(mkfifo(directory.path.appending("pipe").string, 0o644), 0)
    assertRefused(try run("--ops", "10", "--file", "directory"), naming: "directory")
    assertRefused(
      try run("--ops", "10", "--file", "pipe", "--overwrite"), naming: "not a regular file")
    assertRefused(try run("--ops", "10", "--file", "missing/file"), naming: "missing/file")
  }

  func test_forbiddenFileIsRefused() throws {
    unsafe XCTAssertEqual(chmod(directory.path.string, 0o755), 0)
    let outcome = try run(
      "--ops", "10",
      launcher: ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    guard !outcome.errors.contains("setpriv:") else {
      throw XCTSkip("another user cannot be had here")
    }
    assertRefused(outcome, naming: "Permission denied")
  }

  func test_limitOfFileSizeIsTold_andNothingIsLeft() throws {
    let outcome = try run(
      "--ops", "10", launcher: ["/bin/bash", "-c", "ulimit -f 100; exec \"$@\"", "bash"])
    assertRefused(outcome, naming: "File too large")
    XCTAssertFalse(exists("file"))
  }

  func test_fullDiskIsTold_andNothingIsLeft() throws {
    let place = directory.path.appending("disk").string
    unsafe XCTAssertEqual(mkdir(place, 0o755), 0)
    let mount =
      "mount -t tmpfs -o size=1m none \"$0\" && \"$@\"; status=$?; ls \"$0\"; exit $status"
    let launcher = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", mount, place]
    guard try Command.run(launcher + ["/bin/true"]) == 0 else {
      throw XCTSkip("mounting a tmpfs in a namespace of its own is not allowed here")
    }
    let outcome = try run(
      "--ops", "10", "--file", "\(place)/file", "--size", "4M", launcher: launcher)
    assertRefused(outcome, naming: "No space left on device")
  }

  func test_directIsRefusedInOneLine_whereThereIsNone() throws {
    // The kernel's own files have none, and cannot be made.
    let outcome = try run("--ops", "10", "--direct", "--file", "/proc/self/oom_score_adj")
    assertRefused(outcome, naming: "--direct")
  }
}
