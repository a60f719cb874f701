import PosixAIO
import Reactor
import SystemPackage

// What the article about tasks and actors shows.

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
