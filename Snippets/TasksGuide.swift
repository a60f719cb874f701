// TasksGuide DIRECTORY: what the article about tasks and actors shows.
import PosixAIO
import Reactor
import SystemPackage

func size(of path: FilePath, on loop: EventLoop) async throws -> Int {
  try await File.withFile(path, .readOnly, on: loop) { file in
    var byteCount = 0
    for try await chunk in file.chunks() { byteCount += chunk.byteCount }
    return byteCount
  }
}

func sizes(of paths: [FilePath], on loop: EventLoop) async throws -> Int {
  try await withThrowingTaskGroup { group in
    for path in paths {
      group.addTask { try await size(of: path, on: loop) }
    }
    return try await group.reduce(0, +)
  }
}

func growth(from old: FilePath, to new: FilePath, on loop: EventLoop) async throws -> Int {
  async let before = size(of: old, on: loop)
  async let after = size(of: new, on: loop)
  return try await after - before
}

func ends(of file: File) async throws -> String {
  let last = try await file.status().byteCount - 4
  async let head = MoveBox(file.read(into: IOBuffer(capacity: 4), at: 0))
  async let tail = MoveBox(file.read(into: IOBuffer(capacity: 4), at: last))
  return try await String(decoding: head.take()) + String(decoding: tail.take())
}

func firstComment(in path: FilePath, on loop: EventLoop) async throws -> String? {
  try await File.withFile(path, .readOnly, on: loop) { file in
    try await file.lines().first { $0.hasPrefix("#") }
  }
}

/// May be called by any task.
func sizeFromElsewhere(_ path: FilePath, _ loop: EventLoop) async throws -> Int {
  try await withTaskExecutorPreference(loop.executor) {
    try await size(of: path, on: loop)
  }
}

/// Its methods run on the loop's thread, whoever calls them.
actor Journal: LoopActor {
  let loop: EventLoop
  private let writer: FileWriter

  init(_ file: File) {
    loop = file.loop
    writer = FileWriter(file)
  }

  func append(_ line: String) async throws {
    try await writer.write((line + "\n").utf8)
    try await writer.flush(durably: true)
  }

  func close() async throws {
    try await writer.close()
  }
}

try EventLoop.run { loop in
  let directory = FilePath(CommandLine.arguments[1])
  let paths = [directory.appending("settings"), directory.appending("journal")]
  try await File.replace(paths[0], with: IOBuffer(copying: "one\ntwo\n".utf8), on: loop)
  let journal = Journal(
    try await File.open(paths[1], .writeOnly, options: [.create, .truncate], on: loop))
  try await journal.append("# first")
  // A task that is not the loop's.
  try await Task.detached { try await journal.append("second") }.value
  try await journal.close()
  print("sizes: \(try await sizes(of: paths, on: loop))")
  print("growth: \(try await growth(from: paths[0], to: paths[1], on: loop))")
  print("comment: \(try await firstComment(in: paths[1], on: loop) ?? "none")")
  let joined = try await File.withFile(paths[0], .readOnly, on: loop) { file in
    try await ends(of: file)
  }
  print("ends: \(joined.split(separator: "\n"))")
  let same = try await Task.detached { try await sizeFromElsewhere(paths[1], loop) }.value
  print("journal: \(same)")
}
