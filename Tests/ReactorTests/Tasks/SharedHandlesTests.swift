import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// Actors and child tasks with what belongs to a loop, written as a client would: without an unsafe
/// keyword, in plain `async` functions.
final class SharedHandlesTests: AsyncFileTestCase {
  func test_actorOfALoopStoresRecords_calledByTasksOfTheLoopAndByOthers() throws {
    try run { loop, folder in
      let journal = try await Journal(folder.path.appending("journal"), on: loop)
      let first = try await journal.append("one")
      let second = try await Task.detached { try await journal.append("two") }.value
      let both = try await [journal.record(first), journal.record(second)]
      XCTAssertEqual(both, ["one", "two"])
      let elsewhere = Task.detached { () async throws in
        let record = try await journal.record(first)
        try await journal.close()
        return record
      }
      let record = try await elsewhere.value
      XCTAssertEqual(record, "one")
    }
  }

  func test_actorWithoutAnExecutorUsesFiles_inTasksOfTheLoop() throws {
    try run { loop, folder in
      try folder.write("12345".utf8, to: "file")
      let sizes = Sizes(loop)
      let path = folder.path.appending("file")
      async let first = sizes.size(of: path)
      async let second = sizes.size(of: path)
      let sum = try await first + second
      XCTAssertEqual(sum, 10)
    }
  }

  func test_childTasksReadOneFile() throws {
    try run { loop, folder in
      try folder.write("onetwo".utf8, to: "file")
      let file = try await File.open(folder.path.appending("file"), .readOnly, on: loop)
      async let first = text(of: file, at: 0)
      async let second = text(of: file, at: 3)
      let both = try await first + " " + second
      XCTAssertEqual(both, "one two")
      try await file.close()
    }
  }

  func test_childTasksReturnBuffers_inBoxes() throws {
    try run { loop, folder in
      try folder.write("onetwo".utf8, to: "file")
      let file = try await File.open(folder.path.appending("file"), .readOnly, on: loop)
      async let first = MoveBox(file.read(into: IOBuffer(capacity: 3), at: 0))
      async let second = MoveBox(file.read(into: IOBuffer(capacity: 3), at: 3))
      let one = try await first.take()
      let two = try await second.take()
      XCTAssertEqual(String(decoding: one) + " " + String(decoding: two), "one two")
      try await file.close()
    }
  }

  func test_taskGroupCopiesFiles() throws {
    try run { loop, folder in
      let names = (0..<20).map { "file\($0)" }
      for name in names { try folder.write(name.utf8, to: name) }
      let sizes = try await copySizes(of: names, in: folder.path, on: loop)
      XCTAssertEqual(sizes, names.reduce(into: [:]) { $0[$1] = $1.utf8.count })
      XCTAssertEqual(try folder.contents(of: "file19.copy"), Array("file19".utf8))
    }
  }

  func test_sequencesAreReadInPlainFunctions() throws {
    try run { loop, folder in
      try folder.write("one\ntwo\nthree\n".utf8, to: "file")
      let counts = try await countAll(in: folder.path, on: loop)
      XCTAssertEqual(counts, Counts(lines: 6, bytes: 28, names: 2, matching: "two"))
    }
  }

  func test_listenerAndClientsTalk_inChildTasks() throws {
    try run { loop, _ in
      let text = try await Listener.withListener(on: loop, .loopback(port: 0)) { listener in
        async let served: Void = echoOnce(listener)
        let text = try await greet(listener.address, on: loop)
        try await served
        return text
      }
      XCTAssertEqual(text, "hello")
    }
  }

  func test_taskThatPrefersTheLoopUsesIt_fromATaskOfNoLoop() throws {
    try run { loop, folder in
      try folder.write("12345".utf8, to: "file")
      let path = folder.path.appending("file")
      let count = try await Task.detached {
        try await withTaskExecutorPreference(loop.executor) {
          try await File.contents(of: path, on: loop).count
        }
      }.value
      XCTAssertEqual(count, 5)
    }
  }
}

/// Appends records by a writer, on the loop's thread.
private actor Journal: LoopActor {
  let loop: EventLoop
  private let file: File
  private let writer: FileWriter
  private var ranges: [Range<Int64>] = []

  init(_ path: FilePath, on loop: EventLoop) async throws {
    self.loop = loop
    file = try await File.open(path, .readWrite, options: [.create, .truncate], on: loop)
    writer = FileWriter(file)
  }

  func append(_ record: String) async throws -> Int {
    let start = writer.byteCountAccepted
    ranges.append(start..<start + Int64(record.utf8.count))
    let number = ranges.count - 1
    try await writer.write(record.utf8)
    try await writer.flush(durably: true)
    return number
  }

  func record(_ number: Int) async throws -> String {
    let range = ranges[number]
    let buffer = try await file.read(
      into: IOBuffer(capacity: range.count), at: range.lowerBound)
    return String(decoding: buffer)
  }

  func close() async throws { try await writer.close() }
}

private actor Sizes {
  private let loop: EventLoop
  private var files: [File] = []

  init(_ loop: EventLoop) { self.loop = loop }

  func size(of path: FilePath) async throws -> Int64 {
    let file = try await File.open(path, .readOnly, on: loop)
    files.append(file)
    let size = try await file.status().byteCount
    try await file.close()
    return size
  }
}

private func text(of file: File, at offset: Int64) async throws -> String {
  String(decoding: try await file.read(into: IOBuffer(capacity: 3), at: offset))
}

private func copySizes(
  of names: [String], in folder: FilePath, on loop: EventLoop
) async throws -> [String: Int] {
  try await withThrowingTaskGroup(of: (String, Int).self) { group in
    for name in names {
      group.addTask { (name, try await copy(folder.appending(name), on: loop)) }
    }
    return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
  }
}

private func copy(_ path: FilePath, on loop: EventLoop) async throws -> Int {
  try await File.withFile(path, .readOnly, on: loop) { source in
    let copy = FilePath(path.string + ".copy")
    return try await File.withFile(copy, .writeOnly, options: .create, on: loop) { file in
      let writer = FileWriter(file)
      for try await chunk in source.chunks() { try await writer.write(chunk.take()) }
      try await writer.flush()
      return Int(writer.byteCountWritten)
    }
  }
}

private struct Counts: Equatable {
  var lines = 0
  var bytes = 0
  var names = 0
  var matching: String?
}

private func countAll(in folder: FilePath, on loop: EventLoop) async throws -> Counts {
  var counts = Counts()
  try await Directory.open(folder, on: loop).replace("other", with: IOBuffer(copying: []))
  let file = try await File.open(folder.appending("file"), .readOnly, on: loop)
  for try await _ in file.lines() { counts.lines += 1 }
  var lines = file.lines().makeAsyncIterator()
  while try await lines.next() != nil { counts.lines += 1 }
  for try await chunk in file.chunks() { counts.bytes += chunk.byteCount }
  var chunks = file.chunks().makeAsyncIterator()
  while let chunk = try await chunks.next() { counts.bytes += chunk.byteCount }
  let directory = try await Directory.open(folder, on: loop)
  for try await batch in directory.batches() { counts.names += batch.count }
  counts.matching = try await file.lines().first { $0.hasPrefix("tw") }
  try await file.close()
  return counts
}

private func echoOnce(_ listener: Listener) async throws {
  var clients = listener.connections.makeAsyncIterator()
  guard let client = try await clients.next() else { return }
  try await client.closeAfter { client in
    var chunks = client.chunks.makeAsyncIterator()
    while let chunk = try await chunks.next() { try await client.write(chunk) }
  }
}

private func greet(_ address: SocketAddress, on loop: EventLoop) async throws -> String {
  try await Connection.withConnection(to: address, on: loop) { connection in
    try await connection.write("hello".utf8)
    connection.shutdownOutput()
    var bytes: [UInt8] = []
    for try await chunk in connection.chunks { bytes += chunk }
    return String(decoding: bytes, as: UTF8.self)
  }
}
