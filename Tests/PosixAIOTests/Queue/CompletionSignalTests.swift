import CPosixAIO
import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

final class CompletionSignalTests: XCTestCase {
  func test_everyQueueHasASignalOfItsOwn_andTheNumbersRunOutWithAClearError() throws {
    var queues: [CompletionQueue] = []
    var reason: Errno?
    // There are fewer real-time signals than this on Linux.
    for _ in 0..<64 {
      do throws(Errno) {
        queues.append(try CompletionQueue())
      } catch {
        reason = error
        break
      }
    }
    XCTAssertEqual(reason, .resourceBusy)
    XCTAssertGreaterThan(queues.count, 8)

    let folder = try TemporaryDirectory()
    var done = 0
    for (number, queue) in queues.enumerated() {
      let file = AIOFile(try folder.open("\(number)"), queue: queue)
      try file.write(IOBuffer(copying: [UInt8(number)]), at: 0) { _, _ in done += 1 }
    }
    for queue in queues { try queue.runUntilIdle() }
    XCTAssertEqual(done, queues.count)
  }

  func test_descriptorsAndSignalComeBack_whenAQueueGoes() throws {
    let number = caio_sigrtmin() + 3
    let before = try openDescriptors()
    for _ in 0..<3 {
      let folder = try TemporaryDirectory()
      var configuration = CompletionQueue.Configuration()
      configuration.signal = number
      let queue = try CompletionQueue(configuration: configuration)
      let file = AIOFile(try folder.open("file"), queue: queue)
      try file.write(IOBuffer(copying: [1]), at: 0) { _, _ in }
      try queue.runUntilIdle()
    }
    XCTAssertEqual(try openDescriptors(), before)
    var action = sigaction()
    XCTAssertEqual(unsafe sigaction(number, nil, &action), 0)
    XCTAssertNil(unsafe action.__sigaction_handler.sa_handler)
    var blocked = sigset_t()
    XCTAssertEqual(unsafe pthread_sigmask(SIG_BLOCK, nil, &blocked), 0)
    XCTAssertEqual(unsafe sigismember(&blocked, number), 0)
  }

  func test_signalInUseIsRefused() throws {
    var configuration = CompletionQueue.Configuration()
    configuration.signal = caio_sigrtmin()
    let owner = try CompletionQueue(configuration: configuration)
    try withExtendedLifetime(owner) {
      XCTAssertThrowsError(try CompletionQueue(configuration: configuration)) {
        XCTAssertEqual($0 as? Errno, .resourceBusy)
      }
    }
  }

  func test_signalThatAnotherHandlerHasIsRefused() throws {
    let number = caio_sigrtmin() + 1
    signal(number) { _ in }
    defer { signal(number, SIG_DFL) }
    var configuration = CompletionQueue.Configuration()
    configuration.signal = number
    XCTAssertThrowsError(try CompletionQueue(configuration: configuration)) {
      XCTAssertEqual($0 as? Errno, .resourceBusy)
    }
  }

  func test_signalThatIsNotARealTimeOneIsRefused() {
    var configuration = CompletionQueue.Configuration()
    for number in [SIGUSR1, 0, -1, 65, 1000] {
      configuration.signal = number
      XCTAssertThrowsError(try CompletionQueue(configuration: configuration)) {
        XCTAssertEqual($0 as? Errno, .invalidArgument)
      }
    }
  }

  func test_signalsThatOthersSendAreHarmless() throws {
    let folder = try TemporaryDirectory()
    var configuration = CompletionQueue.Configuration()
    configuration.signal = caio_sigrtmin() + 4
    let queue = try CompletionQueue(configuration: configuration)
    let file = AIOFile(try folder.open("file"), queue: queue)
    var calls = 0
    for number in 0..<50 {
      kill(getpid(), caio_sigrtmin() + 4)
      try file.write(IOBuffer(copying: [1]), at: Int64(number)) { _, _ in calls += 1 }
    }
    try queue.runUntilIdle()
    XCTAssertEqual(calls, 50)
  }

  func test_descriptorFallsSilent_afterASignalThatComesWhileNothingIsInFlight() throws {
    let folder = try TemporaryDirectory()
    var configuration = CompletionQueue.Configuration()
    configuration.signal = caio_sigrtmin() + 4
    let queue = try CompletionQueue(configuration: configuration)
    let file = AIOFile(try folder.open("file"), queue: queue)
    var calls = 0
    try file.write(IOBuffer(copying: [1]), at: 0) { _, _ in calls += 1 }
    try queue.runUntilIdle()
    for _ in 0..<3 {
      for _ in 0..<40 { pthread_kill(pthread_self(), caio_sigrtmin() + 4) }
      XCTAssertTrue(isReadable(queue))
      queue.drain()
      // A loop would call drain again and again.
      XCTAssertFalse(isReadable(queue))
    }
    try file.write(IOBuffer(copying: [1]), at: 0) { _, _ in calls += 1 }
    try queue.runUntilIdle()
    XCTAssertEqual(calls, 2)
  }

  private func isReadable(_ queue: CompletionQueue) -> Bool {
    var polled = pollfd(fd: queue.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&polled, 1, 0) == 1
  }
}
