import Foundation
import PosixAIO
import SystemPackage
import TestSupport
import Testing

/// A queue and its files are used on the queue's thread; elsewhere they trap.
@Suite
struct QueueThreadTests {
  private static let sentence = "a queue and its files are used on the thread that made the queue"

  @Test func drainingTraps_onAnotherThread() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let queue = try CompletionQueue()
      try OtherThread.run { queue.drain() }
    }
    #expect(result.says(Self.sentence))
  }

  @Test func readingTraps_onAnotherThread() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let file = try emptyFile()
      try OtherThread.run { _ = try? file.read(into: IOBuffer(capacity: 1), at: 0) { _, _ in } }
    }
    #expect(result.says(Self.sentence))
  }

  @Test func syncingTraps_onAnotherThread() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let file = try emptyFile()
      try OtherThread.run { _ = try? file.sync { _ in } }
    }
    #expect(result.says(Self.sentence))
  }

  @Test func closingTraps_onAnotherThread() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let file = try emptyFile()
      try OtherThread.run { file.close() }
    }
    #expect(result.says(Self.sentence))
  }

  @Test func cancellingTraps_onAnotherThread() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let file = try emptyFile()
      let id = try file.sync { _ in }
      try OtherThread.run { file.queue.cancel(id) }
    }
    #expect(result.says(Self.sentence))
  }

  @Test func statisticsTrap_onAnotherThread() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let queue = try CompletionQueue()
      try OtherThread.run { _ = queue.statistics }
    }
    #expect(result.says(Self.sentence))
  }

  @Test func formerThreadTraps_whenTheQueueHasMoved() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let queue = try CompletionQueue()
      try OtherThread.run {
        queue.moveToCurrentThread()
        // Its new thread may use it.
        queue.drain()
      }
      queue.drain()
    }
    #expect(result.says(Self.sentence))
  }

  @Test func anyThreadMayAskWhatIsLeft_whenTheQueueHasRetired() async {
    await #expect(processExitsWith: .success) {
      let file = try emptyFile()
      file.queue.beginEnd()
      file.queue.retire(waitingAtMost: .zero)
      try OtherThread.run {
        precondition(file.queue.unfinishedCount == 0 && file.queue.drain() == 0)
        file.close { result in precondition((try? result.get()) != nil) }
      }
    }
  }
}

private func emptyFile() throws -> AIOFile {
  let (readEnd, _) = try FileDescriptor.pipe()
  return AIOFile(readEnd, queue: try CompletionQueue())
}
