import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// Each call on an open file: what it does, and one failure told in full.
final class FileMetadataTests: XCTestCase {
  // XCTest keeps its test cases to the end, and a loop its signal as long as it lives.
  private var loop: EventLoop?
  private var folder: TemporaryDirectory?

  override func setUpWithError() throws {
    loop = try EventLoop()
    folder = try TemporaryDirectory()
  }

  override func tearDown() {
    loop = nil
    folder = nil
  }

  private func make() throws -> (EventLoop, TemporaryDirectory, FilePath) {
    let folder = try XCTUnwrap(folder)
    return (try XCTUnwrap(loop), folder, folder.path.appending("file"))
  }

  func test_statusTellsSizeKindAndTimes() throws {
    let (loop, folder, path) = try make()
    try folder.write([1, 2, 3], to: "file")
    let file = try loop.open(path)
    let moment = FileStatus.Time(seconds: 1_000_000_000, nanoseconds: 5)
    try loop.value { file.setTimes(accessed: nil, modified: moment, $0) }
    let status = try loop.value { file.status($0) }
    XCTAssertEqual(status.byteCount, 3)
    XCTAssertEqual(status.kind, .regular)
    XCTAssertEqual(status.modified, moment)
    XCTAssertEqual(status.accessed, file.openingStatus.accessed)
    XCTAssertEqual(status.linkCount, 1)
    XCTAssertEqual(status.inode, file.openingStatus.inode)
    XCTAssertEqual(status.device, file.openingStatus.device)
    XCTAssertEqual(status.owner, geteuid())
  }

  func test_truncateShortensAndLengthens() throws {
    let (loop, folder, path) = try make()
    try folder.write([1, 2, 3], to: "file")
    let file = try loop.open(path)
    try loop.value { file.truncate(to: 2, $0) }
    XCTAssertEqual(try folder.contents(of: "file"), [1, 2])
    try loop.value { file.truncate(to: 4, $0) }
    XCTAssertEqual(try folder.contents(of: "file"), [1, 2, 0, 0])
  }

  func test_truncateOfAFileThatIsOnlyReadFails() throws {
    let (loop, folder, path) = try make()
    try folder.write([1], to: "file")
    let file = try loop.open(path, .readOnly, options: [])
    XCTAssertEqual(
      try loop.error { file.truncate(to: 7, $0) },
      FileError(operation: .truncate, path: path, offset: 7, errno: .invalidArgument))
  }

  func test_allocateReservesSpace_andAHoleGivesItBack() throws {
    let (loop, folder, path) = try make()
    let file = try loop.open(path)
    try loop.value { file.allocate(0..<1_048_576, as: .keepingSize, $0) }
    var status = try loop.value { file.status($0) }
    XCTAssertEqual(status.byteCount, 0)
    XCTAssertGreaterThanOrEqual(status.allocatedByteCount, 1_048_576)
    try loop.value { file.allocate(0..<8192, as: .extending, $0) }
    XCTAssertEqual(try loop.value { file.status($0) }.byteCount, 8192)
    try folder.write([UInt8](repeating: 1, count: 8192), to: "file")
    try loop.value { file.allocate(0..<4096, as: .hole, $0) }
    status = try loop.value { file.status($0) }
    XCTAssertEqual(status.byteCount, 8192)
    XCTAssertLessThan(status.allocatedByteCount, 1_048_576)
    XCTAssertEqual(try folder.contents(of: "file").filter { $0 == 1 }.count, 4096)
  }

  func test_allocateOfAFileThatIsOnlyReadFails() throws {
    let (loop, folder, path) = try make()
    try folder.write([1], to: "file")
    let file = try loop.open(path, .readOnly, options: [])
    XCTAssertEqual(
      try loop.error { file.allocate(5..<10, as: .extending, $0) },
      FileError(operation: .allocate, path: path, offset: 5, errno: .badFileDescriptor))
  }

  func test_everyAdviceIsTaken_butNotForAPipe() throws {
    let (loop, _, path) = try make()
    let file = try loop.open(path)
    for advice in [File.Advice.normal, .sequential, .random, .willNeed, .dontNeed, .noReuse] {
      try loop.value { file.advise(advice, $0) }
      try loop.value { file.advise(advice, in: 10..<20, $0) }
    }
    let pipe = path.removingLastComponent().appending("pipe")
    XCTAssertEqual(unsafe mkfifo(pipe.string, 0o600), 0)
    let opened = try loop.open(pipe, options: [])
    XCTAssertEqual(
      try loop.error { opened.advise(.sequential, $0) },
      FileError(operation: .advise, path: pipe, offset: 0, errno: .illegalSeek))
  }

  func test_writeBackIsStarted_butNotOfAPipe() throws {
    let (loop, _, path) = try make()
    let file = try loop.open(path)
    try loop.value { file.startWriteBack($0) }
    try loop.value { file.startWriteBack(in: 0..<4096, $0) }
    let pipe = path.removingLastComponent().appending("pipe")
    XCTAssertEqual(unsafe mkfifo(pipe.string, 0o600), 0)
    let opened = try loop.open(pipe, options: [])
    XCTAssertEqual(
      try loop.error { opened.startWriteBack(in: 7..<8, $0) },
      FileError(operation: .startWriteBack, path: pipe, offset: 7, errno: .illegalSeek))
  }

  func test_permissionsAreSetWithoutTheUmask() throws {
    let (loop, _, path) = try make()
    let file = try loop.open(path)
    try loop.value { file.setPermissions([.ownerReadWrite, .otherWrite], $0) }
    XCTAssertEqual(
      try loop.value { file.status($0) }.permissions, [.ownerReadWrite, .otherWrite])
  }

  func test_ownerIsSet_asFarAsTheProcessMay() throws {
    let (loop, _, path) = try make()
    let file = try loop.open(path)
    let (user, group) = (geteuid(), getegid())
    try loop.value { file.setOwner(user: user, group: group, $0) }
    try loop.value { file.setOwner($0) }
    var status = try loop.value { file.status($0) }
    XCTAssertEqual([status.owner, status.group], [user, group])
    guard user == 0 else {
      XCTAssertEqual(
        try loop.error { file.setOwner(user: 0, $0) },
        FileError(operation: .setOwner, path: path, errno: .notPermitted))
      return
    }
    try loop.value { file.setOwner(user: 1234, group: 5678, $0) }
    status = try loop.value { file.status($0) }
    XCTAssertEqual([status.owner, status.group], [1234, 5678])
  }

  func test_metadataOfAReadOnlyFileSystemCannotBeChanged() throws {
    let (loop, _, _) = try make()
    // Files of /proc take neither times nor permissions.
    let path = FilePath("/proc/self/stat")
    let file = try loop.open(path, .readOnly, options: [])
    XCTAssertEqual(
      try loop.error { file.setPermissions(.ownerRead, $0) },
      FileError(operation: .setPermissions, path: path, errno: .notPermitted))
  }

  func test_callsAreRefusedAfterClose_andCloseComesBehindThoseBefore() throws {
    let (loop, _, path) = try make()
    let file = try loop.open(path)
    var order: [String] = []
    file.status { _ in order.append("status") }
    file.truncate(to: 10) { _ in order.append("truncate") }
    file.close { _ in
      order.append("close")
      loop.stop()
    }
    var refusals: [Errno] = []
    file.status { result in
      if case .failure(let error) = result { refusals.append(error.errno) }
    }
    file.tryLock(.shared) { result in
      if case .failure(let error) = result { refusals.append(error.errno) }
    }
    let calls: [(@escaping CompletionQueue.SyncHandler) -> Void] = [
      { file.truncate(to: 1, $0) },
      { file.allocate(0..<1, $0) },
      { file.advise(.normal, $0) },
      { file.startWriteBack($0) },
      { file.setTimes($0) },
      { file.setPermissions([], $0) },
      { file.lock(.shared, $0) },
      { file.unlock($0) },
    ]
    for call in calls {
      call { result in
        if case .failure(let error) = result { refusals.append(error.errno) }
      }
    }
    XCTAssertEqual(refusals, [], "they are reported in the next turn")
    loop.runUntilStopped()
    loop.wait { refusals.count == calls.count + 2 }
    XCTAssertEqual(Set(refusals), [.badFileDescriptor])
    XCTAssertEqual(order.sorted(), ["close", "status", "truncate"])
    XCTAssertEqual(order.last, "close")
  }

  func test_nonsenseIsRefused() throws {
    let (loop, _, path) = try make()
    let file = try loop.open(path)
    let calls: [(@escaping CompletionQueue.SyncHandler) -> Void] = [
      { file.truncate(to: -1, $0) },
      { file.allocate(0..<0, $0) },
      { file.allocate(-1..<1, $0) },
      { file.advise(.normal, in: -2..<1, $0) },
      { file.unlock(in: 4..<4, $0) },
    ]
    for call in calls {
      XCTAssertEqual(try loop.error(of: call).errno, .invalidArgument)
    }
    XCTAssertEqual(
      try loop.error { file.tryLock(.shared, in: 4..<4, $0) }.errno, .invalidArgument)
  }
}
