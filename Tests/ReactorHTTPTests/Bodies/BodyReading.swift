import PosixAIO
import Reactor
import SystemPackage
import TestSupport

@testable import ReactorHTTP

/// The ways in which a handler may read a body.
enum BodyReading: String, CaseIterable, Sendable {
  case next, readAll, file, chunks, asyncReadAll, asyncFile, unread, partly

  /// Whether it reports the number of bytes when the body breaks off.
  var keepsWhatCame: Bool { [.next, .file, .chunks, .asyncFile].contains(self) }

  /// Whether it reads the whole body.
  var isWhole: Bool { self != .unread && self != .partly }
}

/// The part of a body that a handler received.
struct BodyReport: Equatable, Sendable {
  var content: [UInt8] = []
  var failure: HTTPServer.RequestBody.Failure?
  var trailer: String?
}

/// Reads a body in one of the ways, on the loop.
final class BodyReader {
  private let body: HTTPServer.RequestBody
  private let place: BodyFile.Place?
  private let done: (BodyReport) -> Void
  private var report = BodyReport()

  /// - Parameters:
  ///   - place: The destination for ways that write to a file.
  ///   - done: Called for each report, exactly once if the server is correct.
  init(
    _ body: HTTPServer.RequestBody, place: BodyFile.Place? = nil,
    _ done: @escaping (BodyReport) -> Void
  ) {
    self.body = body
    self.place = place
    self.done = done
  }

  func read(_ way: BodyReading) {
    switch way {
    case .next: readNext()
    case .readAll: body.readAll(upTo: 1 << 20) { [self] in finish($0) }
    case .file: writeToFile()
    case .chunks: body.core.loop.startTask { [self] in await readChunks() }
    case .asyncReadAll:
      body.core.loop.startTask { [self] in
        do throws(HTTPServer.RequestBody.Failure) {
          finish(.success(try await body.readAll(upTo: 1 << 20)))
        } catch {
          finish(.failure(error))
        }
      }
    case .asyncFile: body.core.loop.startTask { [self] in await awaitFile() }
    case .unread: done(report)
    case .partly: body.next { [self] in finish($0.map { $0 ?? [] }) }
    }
  }

  private func finish(_ result: Result<[UInt8], HTTPServer.RequestBody.Failure>) {
    switch result {
    case .success(let bytes): report.content += bytes
    case .failure(let failure): report.failure = failure
    }
    report.trailer = body.trailers["X-Trailer"]
    done(report)
  }

  private func readNext() {
    body.next { [self] result in
      guard case .success(let bytes?) = result else { return finish(result.map { $0 ?? [] }) }
      report.content += bytes
      readNext()
    }
  }

  private nonisolated(nonsending) func readChunks() async {
    do throws(HTTPServer.RequestBody.Failure) {
      var chunks = body.chunks.makeAsyncIterator()
      while let bytes = try await chunks.next(isolation: nil) { report.content += bytes }
      finish(.success([]))
    } catch {
      finish(.failure(error))
    }
  }

  private func writeToFile() {
    guard let place else { return }
    body.write(to: place.file, at: place.offset) { [self] result in
      switch result {
      case .success(let count): finish(place.bytes(count), isWhole: true)
      case .failure(let error): finish(place.bytes(error.byteCountDone), isWhole: false)
      }
    }
  }

  private nonisolated(nonsending) func awaitFile() async {
    guard let place else { return }
    do throws(PumpError) {
      let count = try await body.write(to: place.file, at: place.offset)
      finish(place.bytes(count), isWhole: true)
    } catch {
      finish(place.bytes(error.byteCountDone), isWhole: false)
    }
  }

  /// - Parameter isWhole: The result of the pump.
  private func finish(_ bytes: [UInt8], isWhole: Bool) {
    report.content = bytes
    if isWhole { return finish(.success([])) }
    finish(.failure(body.failure ?? .malformed("the pump has failed and the body has not")))
  }
}

/// A file for many bodies, each at its own offset.
final class BodyFile: @unchecked Sendable {
  // The descriptor may be used on any thread, the file only on the loop.
  private let descriptor: FileDescriptor
  private let path: FilePath
  private let folder: TemporaryFolder
  private var file: File?

  init() throws {
    folder = try TemporaryFolder()
    descriptor = try folder.open("bodies")
    path = folder.path.appending("bodies")
  }

  deinit { try? descriptor.close() }

  /// The place of one body in the file.
  struct Place {
    let file: File
    let offset: Int64
    fileprivate let owner: BodyFile

    /// The current bytes in the file.
    func bytes(_ count: Int64) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: Int(count))
      let done = try? unsafe bytes.withUnsafeMutableBytes {
        try unsafe owner.descriptor.read(fromAbsoluteOffset: offset, into: $0)
      }
      return Array(bytes[..<(done ?? 0)])
    }
  }

  /// Opens the file on the loop, which keeps it.
  func open(_ served: ServedLoop) throws {
    try served.onLoop { server in
      guard let loop = server.value?.core.loop else { return }
      File.open(self.path, .readWrite, on: loop) { self.file = try? $0.get() }
    }
    try served.waitUntil("the file is open") { _ in self.file != nil }
  }

  func close(_ served: ServedLoop) throws {
    try served.onLoop { _ in self.file = nil }
  }

  func place(_ offset: Int64) -> Place? {
    file.map { Place(file: $0, offset: offset, owner: self) }
  }
}
