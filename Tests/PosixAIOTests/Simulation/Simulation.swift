import CPosixAIO
import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// A random program on a completion queue over a simulated libc, both chosen by a seed, held
/// against a model of what the queue promises.
///
/// Time is the simulation's: it goes on a little with each event, and jumps to the queue's timer
/// when nothing else can happen. The queue is drained only when it asks for that, so that a
/// completion of which it does not know stays out.
final class Simulation {
  private static let fileCount = 4
  /// More than any program of this length needs.
  private static let eventLimit = 50_000

  let journal: SimulationJournal
  let libc: SimulatedLibc
  let queue: CompletionQueue
  var random: SeededGenerator
  var files: [SimulatedFile] = []
  var unfinished: [SimulatedRequest] = []
  /// Counts all that happens, to tell what was before what.
  var moment = 1
  var isInsideCall = false
  var closedCount = 0
  var hasEnded = false
  var isRetired = false
  private(set) var fileNumber = 0
  private let folder: TemporaryDirectory
  private var stepsLeft: Int
  /// The queue ends when so many steps are left; nil if it goes on to the end of the program.
  private let endsWithStepsLeft: Int?
  /// Whether that is within whatever makes the step: a handler, an observer, or the loop.
  private let endsInside: Bool
  private var observer: SimulationObserver?
  private(set) var isDrainRequested = false

  /// - Parameter folder: For files without a name, which lend their descriptors.
  init(seed: UInt64, in folder: TemporaryDirectory, isTracing: Bool) throws {
    random = SeededGenerator(seed: seed)
    journal = SimulationJournal(isTracing: isTracing)
    self.folder = folder
    stepsLeft = Int.random(in: 20...140, using: &random)
    endsWithStepsLeft = random.oneIn(3) ? Int.random(in: 0..<stepsLeft, using: &random) : nil
    endsInside = random.oneIn(2)
    let configuration = Self.configuration(&random)
    let faults = SimulatedFaults(&random)
    journal.note("\(faults)")
    journal.note("\(configuration)")
    libc = SimulatedLibc(SeededGenerator(seed: random.next()), faults, configuration, journal)
    queue = try CompletionQueue(configuration: configuration, system: libc)
    // Half of them as a loop of ours, half as somebody who polls the descriptor.
    if random.oneIn(2) { queue.requestDrain = { [unowned self] _ in isDrainRequested = true } }
    for _ in 0..<Self.fileCount { try openFile() }
    guard random.oneIn(3) else { return }
    observer = SimulationObserver { [unowned self] in
      checkPlace("a call of the observer")
      goOn()
    }
    queue.observer = observer
  }

  /// Runs to the end, or to the first violation.
  func run() throws {
    var eventCount = 0
    while !journal.isBroken, try !isOver() {
      if hasEnded || isTimeToEnd { return try endQueue() }
      eventCount += 1
      moment += 1
      libc.time += UInt64.random(in: 1...50_000, using: &random)
      if eventCount > Self.eventLimit { journal.violated(1, "it goes on for ever") }
      switch Int.random(in: 0..<4, using: &random) {
      case 0 where stepsLeft > 0: try program()
      case 1 where libc.isBusy: libc.step()
      default: turn()
      }
    }
    if !journal.isBroken { checkTheEnd() }
  }

  /// Makes a step of the program, if there are any left.
  func program() throws {
    guard stepsLeft > 0 else { return }
    stepsLeft -= 1
    try programStep()
    if endsInside, isTimeToEnd, !hasEnded { beginTheEnd() }
  }

  private var isTimeToEnd: Bool { endsWithStepsLeft.map { stepsLeft <= $0 } ?? false }

  func openFile() throws {
    let kind = SimulatedDisk.Kind.allCases.randomElement(using: &random) ?? .plain
    let name = "\(kind)\(fileNumber)"
    fileNumber += 1
    let byteCount =
      kind == .appending || kind == .pipe
      ? 0 : SimulatedFile.pageCount * SimulatedDisk.pageByteCount
    let disk = SimulatedDisk(name, kind, byteCount: byteCount)
    let descriptor = try makeDescriptor(kind, byteCount)
    var status = stat()
    XCTAssertEqual(unsafe fstat(descriptor.rawValue, &status), 0)
    libc.disks[status.st_ino] = disk
    disk.onGrowth = { XCTAssertEqual(ftruncate(descriptor.rawValue, $0), 0) }
    files.append(SimulatedFile(disk, AIOFile(descriptor, queue: queue)))
    journal.note("opened: \(name), descriptor \(descriptor.rawValue)")
  }

  // MARK: -

  private static func configuration(
    _ random: inout SeededGenerator
  ) -> CompletionQueue.Configuration {
    .with {
      $0.inFlightLimit = Int.random(in: 1...24, using: &random)
      $0.inFlightLimitPerFile = Int.random(in: 1...16, using: &random)
      $0.lanesPerFile = Int.random(in: 1...4, using: &random)
      $0.blockingFileLimit = Int.random(in: 1...2, using: &random)
      $0.mergesWrites = !random.oneIn(3)
      $0.readsCacheFirst = random.oneIn(2)
      $0.completionsPerDrain = random.oneIn(2) ? 256 : Int.random(in: 1...8, using: &random)
      if random.oneIn(4) { $0.waitingLimit = Int.random(in: 1...20, using: &random) }
      if random.oneIn(4) { $0.overflow = .refuse }
      if random.oneIn(4) { $0.heldByteLimit = 500 }
      if random.oneIn(2) {
        $0.backstopFloor = .microseconds(100)
        $0.backstopCeiling = .milliseconds(1)
      }
    }
  }

  /// A descriptor that the queue takes for such a file; the bytes are the disk's.
  private func makeDescriptor(
    _ kind: SimulatedDisk.Kind, _ byteCount: Int
  ) throws -> FileDescriptor {
    if kind == .pipe {
      let ends = try FileDescriptor.pipe()
      try ends.writeEnd.close()
      return ends.readEnd
    }
    let descriptor =
      switch kind {
      case .appending: try folder.open("file", options: [.create, .append])
      case .direct:
        // On a file system without direct IO it is one more plain file.
        try (try? folder.open("file", options: [.create, .init(rawValue: caio_o_direct())]))
          ?? folder.open("file")
      case .plain, .pipe: try folder.open("file")
      }
    XCTAssertEqual(unsafe unlink(folder.path.appending("file").string), 0)
    XCTAssertEqual(ftruncate(descriptor.rawValue, byteCount), 0)
    return descriptor
  }

  // MARK: The loop

  /// A turn of the loop: drains if the queue asks for it.
  private func turn() {
    let isReadable = libc.isTimerDue || queue.isReadable
    guard isDrainRequested || isReadable else { return jumpIfIdle() }
    // Who drains because the queue asked for it may not have polled the descriptor.
    let looks = isReadable && (!isDrainRequested || random.oneIn(2))
    isDrainRequested = false
    let limit = queue.configuration.completionsPerDrain
    let count = queue.drain(limit: limit, cachedReadLimit: limit, sources: looks ? .polls : .skips)
    journal.note("drained\(looks ? "" : " without a look"): \(count)")
    if looks { journal.check(9, !libc.isTimerDue, "the timer stays readable, and a loop spins") }
    guard count < limit else { return }
    checkNothingIsOverdue()
    checkAllThatWasAnnouncedIsSeen()
  }

  /// When nothing happens by itself any more, time passes until the queue's timer runs out.
  private func jumpIfIdle() {
    guard !libc.isBusy, stepsLeft == 0, queue.unfinishedCount > 0 || hasUnseen else { return }
    guard let due = libc.timerDueAt else {
      return journal.violated(1, "nothing goes on, and \(unfinished) are unfinished")
    }
    journal.note("nothing happens until \(due / 1000) µs")
    libc.time = max(libc.time, due)
  }

  private var hasUnseen: Bool { libc.unseenCount(since: .max) > 0 }

  private func checkNothingIsOverdue() {
    for request in unfinished {
      if let deadline = request.deadline, deadline <= libc.time {
        journal.violated(9, "\(request) is over its deadline and not answered")
      }
      switch request.expectedAnswer {
      case .canceled?, .abandoned?:
        journal.violated(9, "\(request) is cancelled and not answered")
      case .allDone?, .notCanceled?, nil: break
      }
      if request.isDue {
        journal.violated(9, "\(request) does not run, all of its file was cancelled: no answer")
      }
    }
    let ceiling = queue.configuration.backstopCeiling.wholeNanoseconds
    if libc.time > ceiling {
      let count = libc.unseenCount(since: libc.time - ceiling)
      journal.check(3, count == 0, "\(count) have ended long ago, and were not seen")
    }
  }

  /// Where each signal comes, nothing is left to the backstop.
  private func checkAllThatWasAnnouncedIsSeen() {
    guard libc.faults.announcesAll, !libc.isBusy, !isDrainRequested, !queue.isReadable
    else { return }
    let count = libc.unseenCount(since: .max)
    journal.check(3, count == 0, "\(count) have ended, all signals have come: not seen")
  }

  private func isOver() throws -> Bool {
    guard stepsLeft == 0 else { return false }
    for file in files where file.isOpen { close(file) }
    return queue.unfinishedCount == 0 && !libc.isBusy && !hasUnseen
  }

  private func checkTheEnd() {
    journal.check(1, unfinished.isEmpty, "\(unfinished) were not answered")
    journal.check(10, closedCount == fileNumber, "\(fileNumber - closedCount) were not closed")
    let answered = UInt64(libc.requests.count + closedCount)
    journal.check(12, queue.statistics.completedCount == answered, "\(queue.statistics)")
    let hot = queue.hot
    journal.check(
      12,
      hot.heldByteCount == 0 && queue.inFlightCount == 0 && queue.waitingCount == 0
        && hot.counts == QueueCounts() && queue.checkCounts()
        && hot.inFlight.isEmpty && hot.deadlines.earliest == nil,
      "the state of an idle queue are not empty: \(queue.statistics)")
  }
}
