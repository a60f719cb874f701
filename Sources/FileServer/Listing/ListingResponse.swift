import Logging
import PosixAIO
import Reactor
import ReactorHTTP

/// Sends a listing. A client that takes it slowly holds two pieces of the page, and the names that
/// are not sent yet.
final class ListingResponse {
  /// One piece is made while the other is sent.
  private static let piecesInFlight = 2

  private let listing: DirectoryListing
  private let queued: QueuedListing
  private let queue: ListingQueue
  private let writer: HTTPServer.ResponseWriter
  private let logger: Logger
  private var unsentCount = 0
  private var isStepping = false
  private var isOver = false

  /// Sends the names in a directory to a request that may have one page, or none for `HEAD`.
  static func begin(
    _ listing: DirectoryListing, of directory: Directory, _ method: HTTPMethod,
    in queue: ListingQueue, _ writer: HTTPServer.ResponseWriter, _ logger: Logger
  ) {
    guard method != .head else {
      writer.start(.ok, headers: listing.headers, contentLength: nil)
      return writer.end()
    }
    ListingResponse(listing, of: directory, in: queue, writer, logger).stepIfPossible()
  }

  private init(
    _ listing: DirectoryListing, of directory: Directory, in queue: ListingQueue,
    _ writer: HTTPServer.ResponseWriter, _ logger: Logger
  ) {
    self.listing = listing
    self.queue = queue
    self.writer = writer
    self.logger = logger
    queued = QueuedListing(ListingWork(listing, of: directory), in: queue)
  }

  private func stepIfPossible() {
    guard !isOver, !isStepping, unsentCount < Self.piecesInFlight, !writer.isConnectionLost else {
      return
    }
    isStepping = true
    queue.run(queued) { [self] result in
      isStepping = false
      switch result {
      case .success(.read): break
      case .success(.piece(let bytes, let isLast)): send(bytes, isLast: isLast)
      case .failure(let error): fail(error)
      }
      stepIfPossible()
    }
  }

  private func send(_ bytes: [UInt8], isLast: Bool) {
    isOver = isLast
    if isLast, !writer.isStarted {
      return writer.send(.ok, headers: listing.headers, body: bytes)
    }
    if !writer.isStarted { writer.start(.ok, headers: listing.headers, contentLength: nil) }
    unsentCount += 1
    writer.write(IOBuffer(copying: bytes)) { [self] _, _ in
      unsentCount -= 1
      stepIfPossible()
    }
    if isLast { writer.end() }
  }

  private func fail(_ error: FileError) {
    isOver = true
    logger.error("a listing failed: \(error)")
    if writer.isStarted {
      writer.cut()
    } else {
      writer.refuse(.init(readingFailedWith: error.errno))
    }
  }
}
