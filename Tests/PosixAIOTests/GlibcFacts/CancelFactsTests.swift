import Glibc
import SystemPackage
import XCTest

/// What glibc does when an operation is cancelled. Straight on libc.
final class CancelFactsTests: OperationTestCase {
  /// Why ``AIOOperation/cancel()`` refuses an operation that others may wait behind.
  func test_followerIsNeverRun_whenTheOneBeforeItIsCanceledWhileAllHelpersAreBusy() throws {
    try checkLostFollower(priorities: (0, 0))
  }

  /// glibc puts nothing before the first of a descriptor, so a more urgent one follows it, too.
  func test_moreUrgentFollowerIsNeverRun_either() throws {
    try checkLostFollower(priorities: (20, 0))
  }

  func test_theRestRuns_whenAllOfTheDescriptorAreCanceledWhileAllHelpersAreBusy() throws {
    let saturation = try saturateHelpers()
    let file = try file()
    let canceled = (0..<2).map { _ in RawOperation(file, [1]) }
    for write in canceled { try write.write() }
    XCTAssertEqual(aio_cancel(file.rawValue, nil), Int32(AIO_CANCELED))
    let next = RawOperation(file, [1])
    try next.write()
    try saturation.release()
    try next.waitUntilFinished()
    XCTAssertEqual(canceled.map(\.error), [ECANCELED, ECANCELED])
    XCTAssertEqual(canceled.map(\.result), [-1, -1])
  }

  func test_theRestRuns_whenTheLastOfTheDescriptorIsCanceled() throws {
    let saturation = try saturateHelpers()
    let file = try file()
    let (first, last) = (RawOperation(file, [1]), RawOperation(file, [1]))
    try first.write()
    try last.write()
    XCTAssertEqual(last.cancel(), Int(AIO_CANCELED))
    try saturation.release()
    try first.waitUntilFinished()
    XCTAssertEqual(first.result, 1)
  }

  func test_runningOperationIsNotCanceled() throws {
    let pipe = try SmallPipe()
    let write = RawOperation(pipe.writeEnd, byteCount: SmallPipe.blockingByteCount)
    try write.write()
    try pipe.waitUntilReadable()
    XCTAssertEqual(write.cancel(), Int(AIO_NOTCANCELED))
    XCTAssertEqual(aio_cancel(pipe.writeEnd.rawValue, nil), Int32(AIO_NOTCANCELED))
    try pipe.drain(SmallPipe.blockingByteCount)
    try write.waitUntilFinished()
  }

  private func checkLostFollower(priorities: (first: Int32, follower: Int32)) throws {
    let saturation = try saturateHelpers()
    let file = try file()
    let first = RawOperation(file, [1], priority: priorities.first)
    let follower = RawOperation(file, [1], priority: priorities.follower)
    try first.write()
    try follower.write()
    XCTAssertEqual(first.cancel(), Int(AIO_CANCELED))
    // Behind the follower, if that is among those that have a turn.
    let later = RawOperation(try open("other", options: .create), [1])
    try later.write()
    try saturation.release()
    try later.waitUntilFinished()
    // All helpers are idle now, and still it can be cancelled: nobody has begun it. This also frees
    // the descriptor again.
    XCTAssertEqual(follower.error, EINPROGRESS)
    XCTAssertEqual(follower.cancel(), Int(AIO_CANCELED))
  }
}
