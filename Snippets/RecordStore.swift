// RecordStore DIRECTORY RECORD…: an actor that stores records and reads them back.
import PosixAIO
import Reactor
import SystemPackage

/// Records in a file, one a line. Its methods run on the loop's thread, whoever calls them.
actor RecordStore: LoopActor {
  let loop: EventLoop
  private let file: File
  private var places: [Range<Int64>] = []
  private var end: Int64 = 0

  /// Opens the store, and finds the records that are in it. For a task of the loop.
  init(in path: FilePath, on loop: EventLoop) async throws {
    self.loop = loop
    let directory = try await Directory.open(path, on: loop)
    file = try await directory.openFile("records", .readWrite, options: .create)
    try await directory.sync()  // the name of a new file is durable, too
    for try await line in file.lines() { _ = reserve(line.utf8.count) }
  }

  var count: Int { places.count }

  /// Appends a record, which is on the disk when this returns. Those that are appended at the same
  /// time share a sync.
  ///
  /// - Returns: The record's number.
  func append(_ record: String) async throws -> Int {
    // Before the first `await`, so that no other record gets the same place.
    let (number, offset) = reserve(record.utf8.count)
    try await file.write(IOBuffer(copying: (record + "\n").utf8), at: offset)
    try await file.dataSync()
    return number
  }

  /// Reads a record.
  func record(_ number: Int) async throws -> String {
    let place = places[number]
    let buffer = try await file.read(
      into: IOBuffer(capacity: place.count), at: place.lowerBound)
    return String(decoding: buffer)
  }

  func close() async throws {
    try await file.close()
  }

  private func reserve(_ byteCount: Int) -> (number: Int, offset: Int64) {
    let place = end..<end + Int64(byteCount)
    places.append(place)
    end = place.upperBound + 1
    return (places.count - 1, place.lowerBound)
  }
}

let directory = FilePath(CommandLine.arguments[1])
let records = Array(CommandLine.arguments[2...])

try EventLoop.run { loop in
  let store = try await RecordStore(in: directory, on: loop)
  try await withThrowingTaskGroup { group in
    for record in records {
      group.addTask { try await store.append(record) }
    }
    for try await number in group { print("stored \(number)") }
  }
  // Tasks elsewhere call it, too, and wait while the loop does the work.
  let reader = Task.detached {
    for number in 0..<(await store.count) { print(try await store.record(number)) }
  }
  try await reader.value
  try await store.close()
}
