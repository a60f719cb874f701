import Glibc
import Logging
import PosixAIO
import ProgramSupport
import Reactor
import SystemPackage

/// One run: creates the file, loads it, reads it back, and reports.
final class Session {
  private let options: StressOptions
  private let seed: Int
  private let loop: EventLoop
  private let logger = Logger(label: "aio-stress")
  private let findings = Findings()
  private let file: StressFile
  private let progress: Progress
  private var watchdog: Watchdog?
  private var isInterrupted = false

  init(_ options: StressOptions, seed: Int, on loop: EventLoop) {
    self.options = options
    self.seed = seed
    self.loop = loop
    let format = BlockFormat(
      fileID: .random(in: .min ... .max), blockByteCount: options.blockSize.value)
    file = StressFile(options, format: format, on: loop)
    progress = Progress(on: loop)
  }

  /// - Returns: Whether everything was verified.
  /// - Throws: If the load could not begin.
  func run() throws -> Bool {
    logger.info("\(options.replay(seed: seed))")
    watchSignals()
    startWatchdog()
    try prepare()
    let load = Load(
      OperationSequence(options.sequenceOptions(seed: seed)), on: file,
      depth: options.queueDepth, operationLimit: options.ops ?? .max, findings: findings)
    let result = LoadResult(load, took: run(load), queue: loop.queue)
    let verifiedCount = findings.isEmpty ? readBack(load) : 0
    if findings.isEmpty { removeIfOurs() }
    watchdog?.cancel()
    progress.end()
    report(result, verifiedBlockCount: verifiedCount)
    return findings.isEmpty
  }

  private func prepare() throws {
    progress.begin("filling", of: options.blockCount)
    do {
      try loop.run { [self] _ in
        try await file.prepare(overwriting: options.overwrite) { count in
          watchdog?.note("filling the file")
          progress.doneCount = count
        }
      }
    } catch {
      // A partly filled file is useless, and may fill the disk.
      if file.isNew { removeIfOurs() }
      throw error
    }
  }

  /// - Returns: The duration of the load.
  private func run(_ load: Load) -> Duration {
    findings.onFinding = { load.end() }
    watchdog?.watch { load.oldest }
    progress.begin("loading", of: options.ops, time: options.loadTime) { load.tally.completedCount }
    interruption = { load.end() }
    let timer = options.loadTime.map { time in loop.schedule(after: time) { load.end() } }
    let start = SuspendingClock.now
    if isInterrupted { load.end() }
    load.start()
    while !loop.run(until: { load.isOver }) {}
    timer?.cancel()
    findings.onFinding = {}
    return .now - start
  }

  /// - Returns: The number of right blocks.
  private func readBack(_ load: Load) -> Int {
    watchdog?.note("syncing and closing the file")
    progress.begin("reading back", of: options.blockCount)
    interruption = { [self] in logger.notice("the file is being read back; signal again to give up")
    }
    var rightCount = 0
    do {
      try loop.run { [self] _ in
        try await file.reopen()
        try await file.readAll { block, bytes, start in
          let offset = file.offset(of: block)
          let fault = file.format.fault(
            in: bytes, from: start, offset: offset, expected: load.expectedAtTheEnd(in: block))
          if let fault { findings.add("at the end the block \(fault)", offset: offset) }
          rightCount += fault == nil ? 1 : 0
          watchdog?.note("reading the file back")
          progress.doneCount = block + 1
        }
        try await file.close()
      }
    } catch {
      findings.add("reading back: \(error)")
    }
    return rightCount
  }

  private func removeIfOurs() {
    guard file.isNew, !options.keep else { return }
    do {
      try loop.run { [self] _ in try await file.remove() }
    } catch {
      logger.warning("\(error)")
    }
  }

  private func report(_ result: LoadResult, verifiedBlockCount: Int) {
    let report = Report(
      options: options, seed: seed, result: result, findings: findings,
      verifiedBlockCount: verifiedBlockCount, isInterrupted: isInterrupted)
    print(options.json ? report.json.description : report.table)
    fflush(nil)
    for finding in findings.first { StandardError.write(line: "aio-stress: \(finding)") }
    if !findings.isEmpty {
      StandardError.write(line: "aio-stress: to repeat: \(options.replay(seed: seed))")
    }
  }

  // MARK: - Interruptions

  /// The action of the first signal. The second one ends the process.
  private var interruption: () -> Void = {}

  private func watchSignals() {
    for signal in [POSIXSignal.interrupt, .terminate] {
      loop.watch(signal) { [self] in
        guard !isInterrupted else {
          progress.end()
          StandardError.write(line: "aio-stress: gave up before everything was verified")
          exit(EXIT_FAILURE)
        }
        isInterrupted = true
        interruption()
      }
    }
  }

  private func startWatchdog() {
    watchdog = Watchdog(on: loop, limit: .seconds(options.stallLimit)) { [self] operation, text in
      progress.end()
      let statistics = loop.queue.statistics
      let culprit = operation.map { "operation \($0.number) (\($0.kind))" } ?? text
      StandardError.write(
        line: """
          aio-stress: \(culprit) has not ended after \(options.stallLimit) s; in flight \
          \(statistics.inFlightCount), waiting \(statistics.waitingCount); to repeat: \
          \(options.replay(seed: seed))
          """)
      // The operation may never end, so do not wait for it.
      exit(EXIT_FAILURE)
    }
  }
}
