internal import Foundation
public import Hummingbird
public import NIOCore
public import NIOPosix
internal import NIOPosixAIO
internal import PosixAIO
public import SystemPackage

/// The files of a directory for Hummingbird's `FileMiddleware`, read on the event loops.
///
/// ```swift
/// let router = Router()
/// router.add(middleware: FileMiddleware(fileProvider: LoopFiles(root: "public")))
/// let application = Application(router: router, server: .http1OnEventLoops())
/// ```
///
/// A request opens its file once, and no file outside the directory, whatever `..` and symbolic
/// links its path contains. With another server than `http1OnEventLoops`, or over TLS or
/// HTTP/2, every step hops to an event loop and back, and all bytes are copied.
public struct LoopFiles: FileProvider {
  /// A request's file.
  public typealias FileIdentifier = RequestedFile

  private let roots: Roots
  private let eventLoops: any EventLoopGroup

  /// - Parameters:
  ///   - root: The directory of the files.
  ///   - eventLoops: For requests whose tasks run on no event loop. Of `NIOPosix`.
  public init(
    root: FilePath, eventLoops: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) {
    roots = Roots(root)
    self.eventLoops = eventLoops
  }

  /// Names a file. Opens nothing.
  public func getFileIdentifier(_ path: String) -> RequestedFile? {
    let path = path.drop { $0 == "/" }
    return RequestedFile(path: path.isEmpty ? "." : FilePath(String(path)))
  }

  /// Opens the file.
  ///
  /// - Returns: Nil if there is none, or if it is neither a file nor a directory.
  public func getAttributes(id: RequestedFile) async throws -> FileAttributes? {
    let eventLoop = MultiThreadedEventLoopGroup.currentEventLoop ?? eventLoops.any()
    do {
      let file = try await roots.directory(on: eventLoop).openFile(forReadingAt: id.path)
      let status = try await file.info()
      id.opened(file, byteCount: status.byteCount)
      guard status.kind == .regular || status.kind == .directory else { return nil }
      return FileAttributes(
        isFolder: status.kind == .directory, size: Int(status.byteCount),
        modificationDate: Date(timeIntervalSince1970: Double(status.modified.seconds)))
    } catch {
      return nil
    }
  }

  /// Sends the opened file, and closes it.
  public func loadFile(
    id: RequestedFile, context: some RequestContext
  ) async throws -> ResponseBody {
    try await body(of: id, nil)
  }

  /// Sends a part of the opened file, and closes it.
  public func loadFile(
    id: RequestedFile, range: ClosedRange<Int>, context: some RequestContext
  ) async throws -> ResponseBody {
    try await body(of: id, range)
  }

  private func body(
    of id: RequestedFile, _ range: ClosedRange<Int>?
  ) async throws -> ResponseBody {
    guard let (file, byteCount) = id.take() else { throw HTTPError(.notFound) }
    // The middleware describes a range that ends after the file as cut off there.
    let lower = min(Int64(range?.lowerBound ?? 0), byteCount)
    let upper = min(range.map { Int64($0.upperBound).addingSaturated(1) } ?? byteCount, byteCount)
    return try await FileBody(file: file, range: lower..<upper).responseBody()
  }
}

extension Int64 {
  fileprivate func addingSaturated(_ other: Int64) -> Int64 {
    let (sum, overflows) = addingReportingOverflow(other)
    return overflows ? .max : sum
  }
}
