#if NIO
  import NIOCore
  import NIOPosixAIO
  import PosixAIO
  import SystemPackage
  import TestSupport
  import XCTest

  final class NameTests: XCTestCase {
    func test_namesAreMadeChangedAndRemoved() async throws {
      for count in [1, 4] {
        try await Loops.onEach(of: count) { files, path in
          try await Self.changeNames(files, path)
        }
      }
    }

    func test_namesAreChangedByFutures() async throws {
      try await Loops.run { loops in
        let files = loops.next()
        let (first, second) = (loops.path.appending("1"), loops.path.appending("2"))
        let writing: EventLoopFuture<Void> = files.replace(contentsOf: first, with: .block(1))
        try await writing.get()
        let moving: EventLoopFuture<Bool> = files.moveItem(at: first, to: second)
        let replaced = try await moving.get()
        XCTAssertFalse(replaced)
        let reading: EventLoopFuture<ByteBuffer> = files.readToEnd(ofFileAt: second)
        let read = try await reading.get()
        XCTAssertEqual(read, .block(1))
        let opening: EventLoopFuture<LoopDirectory> = files.openDirectory(at: loops.path)
        let listing: EventLoopFuture<[DirectoryEntry]> = try await opening.get().list()
        let names = try await listing.get().map(\.name.string)
        XCTAssertEqual(names, ["2"])
      }
    }

    private static func changeNames(_ files: some LoopFileNamespace, _ path: FilePath) async throws
    {
      let directory = path.appending("directory")
      let (first, second) = (directory.appending("1"), directory.appending("2"))
      try await files.createDirectory(at: directory)
      await assertFails(.fileExists, .createDirectory) {
        try await files.createDirectory(at: directory)
      }
      try await files.replace(contentsOf: first, with: ByteBuffer(string: "one"))
      try await files.createHardLink(at: second, to: first)
      let linked = try await files.info(forFileAt: second)
      XCTAssertEqual(linked.linkCount, 2)
      await assertFails(.fileExists, .rename) {
        try await files.moveItem(at: first, to: second, replacing: false)
      }
      let third = directory.appending("3")
      let replaced = try await files.moveItem(at: first, to: third)
      XCTAssertFalse(replaced)
      let link = directory.appending("link")
      try await files.createSymbolicLink(at: link, withDestination: "3")
      let target = try await files.destinationOfSymbolicLink(at: link)
      XCTAssertEqual(target, "3")
      let kinds = [
        try await files.info(forFileAt: link).kind,
        try await files.info(forFileAt: link, followingSymbolicLinks: false).kind,
      ]
      XCTAssertEqual(kinds, [.regular, .symbolicLink])
      await assertFails(.directoryNotEmpty, .remove) {
        try await files.removeDirectory(at: directory)
      }
      for name in [link, second, third] { try await files.removeItem(at: name) }
      await assertFails(.noSuchFileOrDirectory, .remove) { try await files.removeItem(at: third) }
      try await files.removeDirectory(at: directory)
    }

    func test_directoryConfinesItsPaths() async throws {
      for count in [1, 4] {
        try await Loops.onEach(of: count) { files, path in
          try await files.replace(contentsOf: path.appending("outside"), with: .block(1))
          try await files.createDirectory(at: path.appending("inside"))
          let directory = try await files.openDirectory(at: path.appending("inside"))
          try await Self.changeNames(directory, "")
          await assertFails(.improperLink, .open) {
            try await directory.openFile(forReadingAt: "../outside")
          }
          await assertFails(.improperLink, .open) {
            try await directory.openFile(forReadingAt: path.appending("outside"))
          }
          try await directory.replace(contentsOf: "file", with: .block(2))
          let read = try await directory.readToEnd(ofFileAt: "file")
          XCTAssertEqual(read, .block(2))
          try await directory.synchronize()
          await assertFails(.notDirectory, .open) { try await directory.openDirectory(at: "file") }
        }
      }
    }

    func test_directoryIsListedInBatches() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let directory = try await files.openDirectory(at: path)
        for number in 0..<25 {
          let file = try await directory.openFile(
            forWritingAt: FilePath("\(number)"), options: [.create])
          try await file.close()
        }
        var names: Set<String> = []
        var sizes: [Int] = []
        for try await batch in directory.listContents(batchCount: 10) {
          sizes.append(batch.count)
          names.formUnion(batch.map(\.name.string))
        }
        XCTAssertEqual(sizes, [10, 10, 5])
        XCTAssertEqual(names, Set((0..<25).map { "\($0)" }))
        let all = try await directory.list()
        XCTAssertEqual(all.count, 25)
        await assertFails(.overflow, .list) { try await directory.list(maximumCount: 24) }
      }
    }

    func test_replacementKeepsPermissions_andLeavesNoOtherName() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let name = path.appending("file")
        let made = try await files.openFile(
          forWritingAt: name, options: [.create], permissions: [.ownerReadWrite, .groupRead])
        try await made.close()
        let before = try await files.info(forFileAt: name).permissions
        try await files.replace(contentsOf: name, with: .block(3))
        let after = try await files.info(forFileAt: name)
        XCTAssertEqual(after.permissions, before)
        XCTAssertEqual(after.byteCount, 4096)
        try await files.replace(contentsOf: name, with: ByteBuffer(), permissions: .ownerReadWrite)
        let last = try await files.info(forFileAt: name)
        XCTAssertEqual(last.permissions, .ownerReadWrite)
        XCTAssertEqual(last.byteCount, 0)
        await assertFails(.noSuchFileOrDirectory, .open) {
          try await files.replace(contentsOf: path.appending("no/file"), with: .block(1))
        }
        await assertFails(.isDirectory, .rename) {
          try await files.replace(contentsOf: path, with: .block(1))
        }
        let entries = try await files.openDirectory(at: path).list()
        XCTAssertEqual(entries.map(\.name.string), ["file"])
      }
    }

    func test_openingAPipeDoesNotWait_andItsReadsDo() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let pipe = try NamedPipe(path.appending("pipe"))
        let reader = try await files.openFile(forReadingAt: pipe.path)
        let read: EventLoopFuture<ByteBuffer> = reader.readChunk(fromAbsoluteOffset: 0, length: 10)
        try pipe.write([1, 2, 3])
        let bytes = try await read.get()
        XCTAssertEqual(bytes, ByteBuffer(bytes: [1, 2, 3]))
        await assertFails(.timedOut, .read) {
          try await reader.readChunk(
            fromAbsoluteOffset: 0, length: 10, timeout: .milliseconds(1))
        }
        try pipe.write([4])
        try await reader.close()
        try pipe.close()
        let lone = try await files.openFile(forReadingAt: pipe.path)
        let end = try await lone.readChunk(fromAbsoluteOffset: 0, length: 10)
        XCTAssertEqual(end.readableBytes, 0)
        try await lone.close()
        await assertFails(.noSuchAddressOrDevice, .open) {
          try await files.openFile(forWritingAt: pipe.path)
        }
      }
    }
  }
#endif
