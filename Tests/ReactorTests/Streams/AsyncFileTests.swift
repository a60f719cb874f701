import Foundation
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// The asynchronous forms: the same work, awaited on the loop's thread.
final class AsyncFileTests: AsyncFileTestCase {
  // MARK: Files

  func test_fileLivesItsWholeLife() throws {
    try run { loop, folder in
      let path = folder.path.appending("file")
      let file = try await File.open(path, .readWrite, options: .create, on: loop)
      let buffer = try await file.write(IOBuffer(copying: Array("hello".utf8)), at: 0)
      XCTAssertEqual(String(decoding: buffer), "hello")
      try await file.sync()
      try await file.dataSync()
      let read = try await file.read(into: IOBuffer(capacity: 10), at: 1)
      XCTAssertEqual(String(decoding: read), "ello")
      var vector = IOVector()
      vector.append(IOBuffer(capacity: 2))
      vector.append(IOBuffer(capacity: 10))
      let pieces = try await file.read(into: vector, at: 0)
      XCTAssertEqual(pieces.byteCount, 5)
      try await file.write(pieces, at: 5)
      try await file.truncate(to: 7)
      try await file.allocate(0..<4096, as: .keepingSize)
      try await file.advise(.willNeed)
      try await file.startWriteBack()
      try await file.setPermissions(.ownerReadWrite)
      try await file.setTimes(modified: .init(seconds: 5))
      let isLocked = try await file.tryLock(.exclusive)
      XCTAssertTrue(isLocked)
      try await file.unlock()
      try await file.lock(.shared)
      let status = try await file.status()
      XCTAssertEqual(status.byteCount, 7)
      XCTAssertEqual(status.modified, .init(seconds: 5))
      try await file.close()
      XCTAssertEqual(try folder.contents(of: "file"), Array("hellohe".utf8))
      let closed = await self.error { () async throws(FileError) in try await file.sync() }
      XCTAssertEqual(
        closed, FileError(operation: .sync, path: path, errno: .badFileDescriptor))
      let appending = try await File.open(path, .writeOnly, options: .append, on: loop)
      try await appending.append(IOBuffer(copying: [33]))
      try await appending.close()
      XCTAssertEqual(try folder.contents(of: "file"), Array("hellohe!".utf8))
    }
  }

  func test_namesLiveTheirWholeLife() throws {
    try run { loop, folder in
      let directory = try await Directory.open(folder.path, on: loop)
      try await directory.createDirectory("sub")
      try await directory.replace("sub/file", with: IOBuffer(copying: [1, 2]))
      try await directory.link("sub/file", to: "second")
      try await directory.createSymbolicLink("link", to: "second")
      let goal = try await directory.readSymbolicLink("link")
      XCTAssertEqual(goal, "second")
      let status = try await directory.status(of: "link")
      XCTAssertEqual(status.linkCount, 2)
      let replaced = try await directory.rename("sub/file", to: "third")
      XCTAssertFalse(replaced)
      let contents = try await directory.contents(of: "third")
      XCTAssertEqual(Array(contents), [1, 2])
      var names: [String] = []
      for try await batch in directory.batches(of: 2) { names += batch.map(\.name.string) }
      XCTAssertEqual(names.sorted(), ["link", "second", "sub", "third"])
      let listed = try await directory.list()
      XCTAssertEqual(listed.count, 4)
      let made = try await directory.temporaryFile()
      try await made.publish(as: "fourth")
      try await made.file.close()
      try await directory.temporaryFile().discard()
      try await directory.sync()
      try await directory.removeDirectory("sub")
      for name: FilePath in ["link", "second", "third", "fourth"] {
        try await directory.remove(name)
      }
      XCTAssertEqual(
        try FileManager.default.contentsOfDirectory(atPath: folder.path.string), [])
      let path = folder.path.appending("a")
      try await Directory.createDirectory(path, on: loop)
      try await Directory.removeDirectory(path, on: loop)
      try await File.replace(path, with: IOBuffer(copying: [7]), on: loop)
      let whole = try await File.contents(of: path, on: loop)
      XCTAssertEqual(Array(whole), [7])
      let missing = folder.path.appending("missing")
      let error = await self.error { () async throws(FileError) in
        try await File.rename(missing, to: path, on: loop)
      }
      XCTAssertEqual(
        error,
        FileError(
          operation: .rename, path: missing, otherPath: path, errno: .noSuchFileOrDirectory))
    }
  }

  func test_namesAnywhereAreLinkedAndRead() throws {
    try run { loop, folder in
      try folder.write([1, 2, 3], to: "file")
      let (file, second) = (folder.path.appending("file"), folder.path.appending("second"))
      let link = folder.path.appending("link")
      try await File.link(file, to: second, on: loop)
      try await File.createSymbolicLink(link, to: "second", on: loop)
      let goal = try await File.readSymbolicLink(link, on: loop)
      XCTAssertEqual(goal, "second")
      let status = try await File.status(of: link, on: loop)
      XCTAssertEqual(status.linkCount, 2)
      try await File.remove(file, on: loop)
      XCTAssertEqual(try folder.contents(of: "link"), [1, 2, 3])
      let missing = await self.error { () async throws(FileError) in
        try await File.link(file, to: second, on: loop)
      }
      XCTAssertEqual(
        missing,
        FileError(operation: .link, path: file, otherPath: second, errno: .noSuchFileOrDirectory))
      let taken = await self.error { () async throws(FileError) in
        try await File.createSymbolicLink(link, to: "file", on: loop)
      }
      XCTAssertEqual(
        taken,
        FileError(
          operation: .createSymbolicLink, path: link, otherPath: "file", errno: .fileExists))
      let noLink = await self.error { () async throws(FileError) in
        try await File.readSymbolicLink(second, on: loop)
      }
      XCTAssertEqual(
        noLink, FileError(operation: .readSymbolicLink, path: second, errno: .invalidArgument))
    }
  }

  func test_fileBelowADirectoryIsOpened() throws {
    try run { loop, folder in
      let directory = try await Directory.open(folder.path, on: loop)
      try await directory.createDirectory("sub")
      let sub = try await directory.openDirectory("sub")
      let file = try await sub.openFile("file", .readWrite, options: [.create, .exclusiveCreate])
      try await file.write(IOBuffer(copying: [1, 2]), at: 0)
      try await file.close()
      XCTAssertEqual(try folder.contents(of: "sub/file"), [1, 2])
      let taken = await self.error { () async throws(FileError) in
        try await sub.openFile("file", .readWrite, options: [.create, .exclusiveCreate])
      }
      XCTAssertEqual(taken, FileError(operation: .open, path: "file", errno: .fileExists))
    }
  }

  // MARK: Streams

  func test_chunksAndLinesAreIterated() throws {
    try run { loop, folder in
      let bytes = Pattern.block(1, byteCount: 10_000)
      try folder.write(bytes, to: "file")
      let file = try await File.open(folder.path.appending("file"), .readOnly, on: loop)
      var configuration = FileReader.Configuration()
      configuration.chunkByteCount = 999
      var read: [UInt8] = []
      var kept: [FileChunk] = []
      for try await chunk in file.chunks(configuration: configuration) {
        XCTAssertEqual(chunk.offset, Int64(read.count))
        chunk.withBytes { read += Array($0) }
        if kept.count < 3 { kept.append(chunk) }
      }
      XCTAssertTrue(read == bytes)
      // The kept bytes were not overwritten.
      XCTAssertTrue(kept.flatMap { Array($0.take()) } == Array(bytes.prefix(2997)))
      try await file.close()
      try folder.write("one\ntwo\r\n\nthree".utf8, to: "text")
      let text = try await File.open(folder.path.appending("text"), .readOnly, on: loop)
      var lines: [String] = []
      for try await line in text.lines() { lines.append(line) }
      XCTAssertEqual(lines, ["one", "two\r", "", "three"])
      try await text.close()
    }
  }

  func test_writerHoldsItsTaskUp_andTellsTheTruth() throws {
    try run { loop, folder in
      let path = folder.path.appending("file")
      let file = try await File.open(path, .writeOnly, options: .create, on: loop)
      var configuration = FileWriter.Configuration()
      configuration.chunkByteCount = 100
      configuration.bufferByteCount = 250
      let writer = FileWriter(file, configuration: configuration)
      var expected: [UInt8] = []
      for number in 0..<200 {
        let bytes = Pattern.block(number, byteCount: number)
        try await writer.write(bytes)
        XCTAssertLessThanOrEqual(writer.bufferedByteCount, 250)
        expected += bytes
      }
      try await writer.flush(durably: true)
      XCTAssertEqual(writer.byteCountWritten, Int64(expected.count))
      try await writer.reopen(folder.path.appending("second"))
      try await writer.write(IOBuffer(copying: [1]))
      try await writer.close()
      XCTAssertTrue(try folder.contents(of: "file") == expected)
      XCTAssertEqual(try folder.contents(of: "second"), [1])
      let error = await self.error { () async throws(FileError) in try await writer.write([2]) }
      XCTAssertEqual(error?.errno, .badFileDescriptor)
    }
  }

  func test_pumpsAreAwaited() throws {
    let loop = try EventLoop()
    let folder = try TemporaryDirectory()
    let peers = try Peers(on: loop)
    let bytes = Pattern.block(1, byteCount: 1_000_000)
    try folder.write(bytes, to: "file")
    try loop.run { loop in
      let source = try await File.open(folder.path.appending("file"), .readOnly, on: loop)
      let target = try await File.open(
        folder.path.appending("copy"), .writeOnly, options: .create, on: loop)
      let sending = loop.startTask {
        defer { peers.client.shutdownOutput() }
        return try await source.send(to: peers.client)
      }
      let received = try await target.receive(from: peers.server)
      XCTAssertEqual(received, 1_000_000)
      let sent = try await sending.value
      XCTAssertEqual(sent, 1_000_000)
      try await source.close()
      try await target.close()
    }
    XCTAssertTrue(try folder.contents(of: "copy") == bytes)
    peers.abort()
  }
}
