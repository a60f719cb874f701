import Foundation
import PosixAIO
import SystemPackage
import TestSupport
import Testing

/// What the caller must not do: each ends the process with a sentence.
@Suite
struct MisuseTests {
  @Test func submittingTwiceTraps() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let operation = try operationInFlight()
      try operation.submit()
    }
    #expect(result.says("take the result before you submit the operation again"))
  }

  @Test func submittingTwiceTraps_whenTheOperationIsFinished() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let write = AIOWrite(FileDescriptor(rawValue: Int32.max), offset: 0, IOBuffer(capacity: 0))
      try write.submit()
      try write.waitUntilFinished()
      try write.submit()
    }
    #expect(result.says("take the result before you submit the operation again"))
  }

  @Test func listingTwiceTraps() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let operation = try operationInFlight()
      try AIOOperation.list(.noWait, [operation])
    }
    #expect(result.says("take the result before you submit the operation again"))
  }

  @Test func changingTheNotificationTraps_inFlight() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let operation = try operationInFlight()
      operation.notification = .none
    }
    #expect(result.says("the notification cannot be changed in flight"))
  }

  @Test func changingTheOffsetTraps_inFlight() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let operation = try operationInFlight()
      operation.offset = 1
    }
    #expect(result.says("the offset cannot be changed in flight"))
  }

  @Test func takingTheBufferTraps_inFlight() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let operation = try operationInFlight()
      _ = operation.takeBuffer()
    }
    #expect(result.says("the buffer cannot be taken in flight"))
  }

  @Test func takingTheVectorTraps_inFlight() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let ends = try FileDescriptor.pipe()
      var vector = IOVector()
      vector.append(IOBuffer(capacity: 1))
      let operation = AIOReadv(ends.readEnd, offset: 0, into: vector)
      try operation.submit()
      _ = operation.takeVector()
    }
    #expect(result.says("the buffers cannot be taken in flight"))
  }

  @Test func aReadOfMoreThanItsBufferTraps() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = AIORead(
        FileDescriptor(rawValue: 0), offset: 0, into: IOBuffer(capacity: 1), byteCount: 2)
    }
    #expect(result.says("byteCount must be within 0 and the buffer's capacity"))
  }
}

/// A read that waits for bytes that never come.
private func operationInFlight() throws -> AIORead {
  let operation = AIORead(
    try FileDescriptor.pipe().readEnd, offset: 0, into: IOBuffer(capacity: 1))
  try operation.submit()
  return operation
}

extension ExitTest.Result? {
  func says(_ sentence: String) -> Bool {
    guard let self else { return false }
    return String(decoding: self.standardErrorContent, as: UTF8.self).contains(sentence)
  }
}
