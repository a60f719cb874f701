import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// Whatever can be closed, cancelled or stopped can be so once more.
final class CloseTwiceTests: XCTestCase {
  /// What is closed: gets a loop and a directory, and gives what closes, to be called twice. Each
  /// call of that calls the handler once, or never.
  private typealias Subject = (EventLoop, TemporaryDirectory) throws -> (
    @escaping CompletionQueue.SyncHandler
  ) throws -> Void

  private static var told: [(String, Subject)] {
    [
      (
        "File.close",
        { loop, folder in
          let file = try loop.open(folder.path.appending("file"))
          return { file.close($0) }
        }
      ),
      (
        "AIOFile.close",
        { loop, folder in
          let file = AIOFile(try folder.open("file"), queue: loop.queue)
          return { file.close($0) }
        }
      ),
      (
        "FileWriter.close",
        { loop, folder in
          let writer = FileWriter(try loop.open(folder.path.appending("file")))
          try writer.write([1, 2, 3])
          return { writer.close(durably: true, $0) }
        }
      ),
      (
        "TemporaryFile.discard",
        { loop, folder in
          let directory = try loop.value { Directory.open(folder.path, on: loop, $0) }
          let file = try loop.value { directory.temporaryFile($0) }
          return { file.discard($0) }
        }
      ),
    ]
  }

  private static var silent: [(String, Subject)] {
    [
      (
        "Connection.close",
        { loop, _ in
          let peers = try Peers(on: loop)
          return { _ in peers.client.close() }
        }
      ),
      (
        "Connection.abort",
        { loop, _ in
          let peers = try Peers(on: loop)
          return { _ in peers.client.abort() }
        }
      ),
      (
        "Connection.shutdownOutput",
        { loop, _ in
          let peers = try Peers(on: loop)
          return { _ in peers.client.shutdownOutput() }
        }
      ),
      (
        "Listener.close",
        { loop, _ in
          let listener = try Listener(on: loop, .loopback(port: 0))
          return { _ in
            listener.close()
            listener.pause()
            listener.resume()
          }
        }
      ),
      (
        "Listener.shutDown",
        { loop, _ in
          let listener = try Listener(on: loop, .loopback(port: 0))
          return { _ in listener.shutDown() }
        }
      ),
      (
        "ConnectAttempt.cancel",
        { loop, _ in
          let attempt = Connection.connect(to: .loopback(port: 1), on: loop) { _ in }
          return { _ in attempt.cancel() }
        }
      ),
      (
        "FileReader.cancel",
        { loop, folder in
          let reader = FileReader(try loop.open(folder.path.appending("file")))
          return { _ in reader.cancel() }
        }
      ),
      (
        "LineReader.cancel",
        { loop, folder in
          let reader = LineReader(try loop.open(folder.path.appending("file")))
          return { _ in reader.cancel() }
        }
      ),
      (
        "FileWork.cancel",
        { loop, folder in
          let work = File.contents(of: folder.path.appending("file"), on: loop) { _ in }
          return { _ in work.cancel() }
        }
      ),
      (
        "Pump.cancel",
        { loop, folder in
          let file = try loop.open(folder.path.appending("file"))
          let pump = file.send(to: try Peers(on: loop).client) { _ in }
          return { _ in pump.cancel() }
        }
      ),
      (
        "LockRequest.cancel",
        { loop, folder in
          let request = try loop.open(folder.path.appending("file")).lock(.exclusive) { _ in }
          return { _ in request.cancel() }
        }
      ),
      (
        "Timer.cancel",
        { loop, _ in
          let timer = loop.schedule(every: .seconds(1)) {}
          return { _ in timer.cancel() }
        }
      ),
      (
        "SignalWatch.cancel",
        { loop, _ in
          let watch = loop.watch(.user2) {}
          return { _ in watch.cancel() }
        }
      ),
      (
        "DescriptorWatch.cancel",
        { loop, _ in
          let watch = try loop.watch(.standardInput, for: .readable) { _ in }
          return { _ in watch.cancel() }
        }
      ),
    ]
  }

  func test_closingAgainIsHarmless_atOnceAndLaterAndAfterTheLoopsEnd() throws {
    for (name, subject) in Self.told + Self.silent {
      let isTold = Self.told.contains { $0.0 == name }
      let (loop, folder) = (try EventLoop(), try TemporaryDirectory())
      let close = try subject(loop, folder)
      var outcomes: [Result<Void, FileError>] = []
      let note: CompletionQueue.SyncHandler = { outcomes.append($0) }
      try close(note)
      try close(note)
      XCTAssertEqual(outcomes.count, 0, "\(name) calls from inside the call")
      if isTold { loop.wait { outcomes.count == 2 } }
      try close(note)
      if isTold { loop.wait { outcomes.count == 3 } }
      loop.close()
      try close(note)
      XCTAssertEqual(outcomes.count, isTold ? 4 : 0, name)
      for outcome in outcomes { XCTAssertNoThrow(try outcome.get(), name) }
    }
  }

  func test_everyCloseGetsTheFirstFailure() throws {
    let (loop, folder) = (try EventLoop(), try TemporaryDirectory())
    let file = try loop.open(folder.path.appending("file"), .readOnly)
    let writer = FileWriter(file)
    try writer.write([1])
    var errnos: [Errno?] = []
    for _ in 0..<3 {
      writer.close { result in
        errnos.append(result.errno)
      }
    }
    loop.wait { errnos.count == 3 }
    XCTAssertEqual(errnos, [.badFileDescriptor, .badFileDescriptor, .badFileDescriptor])
  }

  func test_aLoopEndsOnce() throws {
    let loop = try EventLoop()
    loop.close()
    loop.close()
    XCTAssertTrue(loop.shutDown(within: .zero))
    loop.stop()
  }
}

extension Result where Failure == FileError {
  /// Why it is a failure.
  var errno: Errno? {
    if case .failure(let error) = self { error.errno } else { nil }
  }
}
