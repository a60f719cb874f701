import PosixAIO
import Reactor

/// Runs the steps of all listings of a loop on a helper thread, one at a time and in turns. So
/// listings, however large and many, take one thread from the other clients, and a large listing
/// does not delay a small one by more than a step.
final class ListingQueue {
  /// The bytes of names that all listings of a loop hold for sorting.
  static let nameByteLimit = 64 * 1024 * 1024

  typealias Handler = (Result<ListingWork.Step, FileError>) -> Void

  private let loop: EventLoop
  private let nameByteLimit: Int
  private var waiting = FIFO<() -> Void>()
  private var isRunning = false
  private var heldByteCount = 0

  init(on loop: EventLoop, nameByteLimit: Int = ListingQueue.nameByteLimit) {
    self.loop = loop
    self.nameByteLimit = nameByteLimit
  }

  /// Runs the next step of a listing, after those that were requested before.
  ///
  /// - Parameter handler: Called once, never from inside this call.
  func run(_ listing: QueuedListing, _ handler: @escaping Handler) {
    waiting.append { [self] in start(listing, handler) }
    if !isRunning { runNext() }
  }

  private func runNext() {
    guard let next = waiting.popFirst() else { return }
    isRunning = true
    next()
  }

  private func start(_ listing: QueuedListing, _ handler: @escaping Handler) {
    let work = listing.work
    let limit = nameByteLimit - heldByteCount + listing.heldByteCount
    loop.offload { () -> Result<ListingWork.Step, FileError> in
      Result { () throws(FileError) in try work.step(holding: limit) }
    } _: { [self] result in
      isRunning = false
      // After a failure of the call itself, the step may still run.
      if case .success = result { listing.heldByteCount = work.heldByteCount }
      runNext()
      switch result {
      case .success(let step): handler(step)
      case .failure(let errno):
        handler(.failure(FileError(operation: .list, path: nil, errno: errno)))
      }
    }
  }

  fileprivate func changeHeldByteCount(by difference: Int) {
    heldByteCount += difference
  }
}

/// A listing, and its part of the memory for names.
final class QueuedListing {
  let work: ListingWork
  private let queue: ListingQueue

  /// The memory that its names occupied after its last step.
  fileprivate var heldByteCount = 0 {
    didSet { queue.changeHeldByteCount(by: heldByteCount - oldValue) }
  }

  init(_ work: ListingWork, in queue: ListingQueue) {
    self.work = work
    self.queue = queue
  }

  deinit {
    queue.changeHeldByteCount(by: -heldByteCount)
  }
}
