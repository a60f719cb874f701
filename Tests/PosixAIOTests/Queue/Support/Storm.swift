import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Requests, cancellations, deadlines and closes in an order that a seed decides, with a model of
/// what has to be in the files.
final class Storm {
  private static let fileCount = 5
  let queue: CompletionQueue
  private let script: ScriptedSystem?
  private let folder: TemporaryDirectory
  private var random: SeededGenerator
  private let message: String
  private var files: [StormFile] = []
  private var madeCount = 0
  /// How often each accepted request's handler was called.
  private(set) var calls: [Int] = []
  private var recent: [RequestID] = []
  private(set) var successCount = 0
  private var closedCount = 0

  init(seed: UInt64, _ configuration: CompletionQueue.Configuration, script: ScriptedSystem?)
    throws
  {
    random = SeededGenerator(seed: seed)
    message =
      "seed \(seed), cache \(configuration.readsCacheFirst), "
      + "merging \(configuration.mergesWrites), scripted \(script != nil)"
    self.script = script
    folder = try TemporaryDirectory()
    queue = try CompletionQueue(configuration: configuration, system: script ?? .live)
    for _ in 0..<Self.fileCount { try openFile() }
  }

  /// Goes on until so many requests were accepted, and then to the end of all.
  func run(requestCount: Int) throws {
    while calls.count < requestCount { try step() }
    for file in files { close(file) }
    files = []
    if let script {
      script.losesSignals = false
      script.refusal = { _ in nil }
      script.outcome = { _ in .real }
      try script.runUntilIdle(queue)
    }
    // What was abandoned may still run.
    try queue.run { queue.unfinishedCount == 0 && queue.hot.inFlight.isEmpty }
    XCTAssertEqual(closedCount, madeCount, message)
    let wrong = calls.indices.filter { calls[$0] != 1 }
    XCTAssertTrue(wrong.isEmpty, "not completed once: \(wrong.prefix(10)), \(message)")
    queue.assertIdle(message)
    XCTAssertEqual(queue.statistics.completedCount, UInt64(calls.count + closedCount), message)
    XCTAssertEqual(script?.riskyCancelCount ?? 0, 0, message)
  }

  // MARK: Steps

  private func step() throws {
    guard let file = files.randomElement(using: &random) else { return }
    switch Int.random(in: 0..<1000, using: &random) {
    case 0..<300: try writeRun(file)
    case 300..<600: try read(file)
    case 600..<680: try sync(file)
    case 680..<800: cancelSome()
    case 800..<802: queue.cancelAll(of: file.file)
    case 802:
      files.removeAll { $0 === file }
      close(file)
      try openFile()
    case 803..<900: queue.drain(limit: Int.random(in: 0...40, using: &random))
    default: disturb()
    }
  }

  private func openFile() throws {
    files.append(try StormFile("\(madeCount)", in: folder, queue: queue))
    madeCount += 1
  }

  private func close(_ file: StormFile) {
    file.file.close { [self] result in
      if case .failure(let error) = result { XCTFail("\(error), \(message)") }
      closedCount += 1
      expectSuccess { try file.verify(in: folder, message) }
    }
  }

  /// Some writes side by side, so that they may be merged.
  private func writeRun(_ file: StormFile) throws {
    let first = Int.random(in: 0..<StormFile.blockCount, using: &random)
    let count = Int.random(in: 1...6, using: &random)
    for block in first..<min(first + count, StormFile.blockCount) {
      guard let old = file.take(block) else { continue }
      let new = Pattern.block(calls.count, byteCount: StormFile.blockByteCount)
      let isAccepted = try accept { number throws(Errno) in
        try file.file.write(
          IOBuffer(copying: new), at: StormFile.offset(of: block), timeout: timeout()
        ) { [self] result, buffer in
          note(number)
          switch result {
          case .success(let byteCount):
            XCTAssertEqual(byteCount, new.count, message)
            XCTAssertTrue(Array(buffer) == new, message)
            successCount += 1
            file.put(block, new)
          case .failure(let error) where buffer.capacity > 0:
            XCTAssertTrue(Array(buffer) == new, message)
            file.put(
              block, Array(new[..<error.byteCountDone] + old[error.byteCountDone...]))
          case .failure:
            // Nobody knows what the kernel does to it. No later request uses it.
            break
          }
        }
      }
      if !isAccepted { file.put(block, old) }
    }
  }

  private func read(_ file: StormFile) throws {
    let block = Int.random(in: 0..<StormFile.blockCount, using: &random)
    guard let content = file.take(block) else { return }
    let isAccepted = try accept { number throws(Errno) in
      try file.file.read(
        into: IOBuffer(capacity: content.count), at: StormFile.offset(of: block),
        timeout: timeout()
      ) { [self] result, buffer in
        note(number)
        file.put(block, content)
        guard case .success(let byteCount) = result else { return }
        XCTAssertEqual(byteCount, content.count, message)
        XCTAssertTrue(Array(buffer) == content, "read \(number), \(message)")
        successCount += 1
      }
    }
    if !isAccepted { file.put(block, content) }
  }

  private func sync(_ file: StormFile) throws {
    let isData = random.oneIn(2)
    _ = try accept { number throws(Errno) in
      let handler: CompletionQueue.SyncHandler = { [self] result in
        note(number)
        if case .success = result { successCount += 1 }
        // Handlers may do anything.
        if random.oneIn(4) { cancelSome() }
      }
      return isData
        ? try file.file.dataSync(timeout: timeout(), handler)
        : try file.file.sync(timeout: timeout(), handler)
    }
  }

  private func cancelSome() {
    for _ in 0..<3 {
      guard let id = recent.randomElement(using: &random) else { return }
      queue.cancel(id, abandoning: random.oneIn(3))
    }
  }

  /// What libc and the kernel do meanwhile.
  private func disturb() {
    guard let script else {
      queue.drain()
      return
    }
    for _ in 0..<Int.random(in: 0..<12, using: &random) {
      let isShort = random.oneIn(10)
      script.outcome = {
        isShort && $0.kind == .write && $0.byteCount > 1 ? .short($0.byteCount / 2) : .real
      }
      script.endRunning(at: Int.random(in: 0..<1000, using: &random))
    }
    script.losesSignals = random.oneIn(10)
    let isRefusing = random.oneIn(20)
    script.refusal = { [self] _ in
      isRefusing && random.oneIn(2) ? .resourceTemporarilyUnavailable : nil
    }
  }

  // MARK: -

  private func timeout() -> Duration? {
    random.oneIn(12) ? .microseconds(Int.random(in: 1...3000, using: &random)) : nil
  }

  private func note(_ number: Int) {
    calls[number] += 1
  }

  /// Makes a request and counts it, unless a limit refuses it.
  private func accept(_ body: (Int) throws(Errno) -> RequestID) throws -> Bool {
    do throws(Errno) {
      calls.append(0)
      let id = try body(calls.count - 1)
      if recent.count < 200 {
        recent.append(id)
      } else {
        recent[Int.random(in: 0..<200, using: &random)] = id
      }
      return true
    } catch {
      calls.removeLast()
      guard error == .resourceTemporarilyUnavailable else { throw error }
      queue.drain()
      script?.endAll()
      return false
    }
  }
}
