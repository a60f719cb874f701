import Foundation
import SystemPackage
import TestSupport
import XCTest

/// Uploads that exceed the memory limit, or that break off.
final class StreamedUploadTests: SiteTestCase {
  private static let pieceByteCount = 1 << 20

  /// Pieces with distinct content.
  private static func piece(_ number: Int, of base: [UInt8]) -> [UInt8] {
    var piece = base
    (piece[0], piece[1]) = (UInt8(number / 256), UInt8(number % 256))
    return piece
  }

  private func assertPieces(_ count: Int, of base: [UInt8], in path: String) throws {
    let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    defer { try? file.close() }
    for number in 0..<count {
      let bytes = try file.read(upToCount: Self.pieceByteCount) ?? Data()
      XCTAssertTrue(bytes == Data(Self.piece(number, of: base)), "piece \(number)")
    }
    XCTAssertNil(try file.read(upToCount: 1))
  }

  func test_uploadGoesToTheDisk_andNotToTheMemory() throws {
    let site = try serve("--upload", "--stats")
    let base = Pattern.block(1, byteCount: Self.pieceByteCount)
    // The memory that any upload uses.
    XCTAssertEqual(try site.put("/small", base).code, 201)
    let before = try site.server.peakResidentByteCount()
    let count = 200
    for isChunked in [false, true] {
      let client = try site.client()
      let length = "Content-Length: \(count * Self.pieceByteCount)"
      try client.begin(
        "PUT", "/large\(isChunked)", headers: [isChunked ? "Transfer-Encoding: chunked" : length])
      for number in 0..<count {
        if isChunked { try client.send("\(String(Self.pieceByteCount, radix: 16))\r\n") }
        try client.send(Self.piece(number, of: base))
        if isChunked { try client.send("\r\n") }
      }
      if isChunked { try client.send("0\r\n\r\n") }
      XCTAssertEqual(try client.readResponse().code, 201)
      try assertPieces(count, of: base, in: site.path("large\(isChunked)"))
    }
    let growth = try site.server.peakResidentByteCount() - before
    XCTAssertLessThan(growth, 16 << 20, "of 400 MiB")
    XCTAssertEqual(try site.names(), ["largefalse", "largetrue", "small"])
  }

  func test_manyUploadsAtOnceTakeLittleMemoryEach() throws {
    let site = try serve("--upload")
    let base = Pattern.block(2, byteCount: Self.pieceByteCount)
    XCTAssertEqual(try site.put("/small", base).code, 201)
    let before = try site.server.peakResidentByteCount()
    let clients = try (0..<20).map { _ in try site.client() }
    let pieces = 8
    for (number, client) in clients.enumerated() {
      try client.begin(
        "PUT", "/\(number)", headers: ["Content-Length: \(pieces * Self.pieceByteCount)"])
    }
    for piece in 0..<pieces {
      for client in clients { try client.send(Self.piece(piece, of: base)) }
    }
    for client in clients { XCTAssertEqual(try client.readResponse().code, 201) }
    for number in clients.indices { try assertPieces(pieces, of: base, in: site.path("\(number)")) }
    let growth = try site.server.peakResidentByteCount() - before
    XCTAssertLessThan(growth, 16 << 20, "of 160 MiB")
  }

  // MARK: Refused before the body

  private func assertRefused(
    _ site: Site, _ target: String, _ code: Int, _ headers: [String],
    file: StaticString = #filePath, line: UInt = #line
  ) throws {
    let client = try site.client()
    try client.begin("PUT", target, headers: ["Expect: 100-continue"] + headers)
    // The first head is the response itself, not an interim one.
    let response = try client.readResponse()
    XCTAssertEqual(response.code, code, "\(target) \(headers)", file: file, line: line)
    guard response["Connection"] == "close" else { return }
    XCTAssertEqual(try client.readToEnd(), [], file: file, line: line)
  }

  func test_uploadIsRefusedBeforeItsBody_whereClientsMayNotUpload() throws {
    let site = try serve()
    try assertRefused(site, "/file", 405, ["Content-Length: 1000000"])
    try assertRefused(site, "/file", 405, ["Transfer-Encoding: chunked"])
    XCTAssertEqual(try site.names(), [])
  }

  func test_uploadIsRefusedBeforeItsBody_forWhatItsHeadSays() throws {
    let site = try serve("--upload", "--max-upload", "1000")
    try site.write("old".utf8, to: "file")
    try site.makeDirectory("folder")
    let length = "Content-Length: 100"
    try assertRefused(site, "/new", 411, [])
    try assertRefused(site, "/new", 413, ["Content-Length: 1001"])
    try assertRefused(site, "/file", 412, [length, "If-None-Match: *"])
    try assertRefused(site, "/new", 412, [length, "If-Match: *"])
    try assertRefused(site, "/file", 412, [length, "If-Match: \"other\""])
    try assertRefused(site, "/new", 400, [length, "Content-Range: bytes 0-99/200"])
    try assertRefused(site, "/folder/", 409, [length])
    try assertRefused(site, "/missing/file", 409, [length])
    XCTAssertEqual(try site.names(), ["file", "folder"])
    XCTAssertEqual(try site.text(of: "file"), "old")
  }

  // MARK: Broken off

  private func assertNothingIsLeft(
    _ site: Site, _ what: String, file: StaticString = #filePath, line: UInt = #line
  ) throws {
    try repeatUntil("\(what): the server has let go of its files") {
      try site.server.descriptors().allSatisfy { !$0.contains(site.root.string + "/") }
    }
    XCTAssertEqual(try site.names(), ["file"], what, file: file, line: line)
    XCTAssertEqual(try site.text(of: "file"), "old", what, file: file, line: line)
  }

  func test_uploadThatIsCutLeavesNoFile_whereverItIs() throws {
    let site = try serve("--upload")
    try site.write("old".utf8, to: "file")
    let body = Pattern.block(3, byteCount: 1_000_000)
    let chunked = Array("f4240\r\n".utf8) + body + Array("\r\n0\r\n\r\n".utf8)
    for (field, bytes) in [
      ("Content-Length: \(body.count)", body), ("Transfer-Encoding: chunked", chunked),
    ] {
      for cut in [0, 1, 4096, 300_000, 999_999, bytes.count - 1] where cut < bytes.count {
        for target in ["/file", "/new"] {
          for isReset in [true, false] {
            let client = try site.client()
            try client.begin("PUT", target, headers: [field])
            try client.send(Array(bytes[..<cut]))
            if isReset {
              client.vanish()
            } else {
              client.finishSending()
              XCTAssertEqual(try client.readResponse().code, 400, "\(field), \(cut)")
              XCTAssertEqual(try client.readToEnd(), [])
            }
            try assertNothingIsLeft(site, "\(field), \(cut), \(isReset)")
          }
        }
      }
    }
  }

  func test_malformedChunksAreRefusedAndLogged_andLeaveNoFile() throws {
    let folder = try TemporaryFolder()
    let log = folder.path.appending("log").string
    let site = try serve("--upload", "--access-log", log)
    try site.write("old".utf8, to: "file")
    let bodies = [
      "0x3\r\nabc\r\n0\r\n\r\n", "+3\r\nabc\r\n0\r\n\r\n", " 3\r\nabc\r\n0\r\n\r\n",
      "3\r\nabcd\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n", "3\r\nabc\r\n-1\r\n\r\n",
      "3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n",
    ]
    for body in bodies {
      let client = try site.client()
      try client.begin("PUT", "/new", headers: ["Transfer-Encoding: chunked"])
      try client.send(body)
      XCTAssertEqual(try client.readResponse().code, 400, body)
      XCTAssertEqual(try client.readToEnd(), [], body)
    }
    try assertNothingIsLeft(site, "malformed")
    site.server.send(SIGTERM)
    XCTAssertEqual(try site.server.waitForEnd().status, 0)
    let lines = try String(contentsOfFile: log, encoding: .utf8)
    XCTAssertEqual(
      lines.components(separatedBy: "\"PUT /new HTTP/1.1\" 400 ").count - 1, bodies.count, lines)
  }
}
