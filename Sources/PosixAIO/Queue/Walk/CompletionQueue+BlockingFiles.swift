/// The direction of an operation on a pipe, socket or terminal. Each direction has its own order,
/// lane and limits, so that a read that never ends does not hold up writes, and vice versa.
enum TransferDirection: CaseIterable {
  case reading, writing
}

extension RequestRef {
  /// Syncs and their markers count as writes.
  var direction: TransferDirection { pointee.kind == .read ? .reading : .writing }
}

/// Submission for files that may block forever: pipes, sockets, terminals. Each of their directions
/// can occupy a helper thread forever, so only a few files may have operations in flight, and the
/// others wait for one of these to end.
extension CompletionQueue {
  /// The most operations of one direction of one file in flight. All such files together leave at
  /// least half of ``Configuration/inFlightLimit`` to others, where the limits allow for that.
  private var blockingFileDepth: Int {
    let budget = configuration.inFlightLimit / 4 / configuration.blockingFileLimit
    return min(configuration.inFlightLimitPerFile, max(1, budget))
  }

  /// Submits as much of each direction as may be in flight.
  func submitBlockingFile(_ file: AIOFile) -> SliceEnd {
    for direction in TransferDirection.allCases {
      while let request = file.waiting(direction).first {
        guard hot.inFlight.count < configuration.inFlightLimit else { return .queueIsFull }
        guard mayBegin(request, direction, file), let lane = lane(for: direction, of: file) else {
          break
        }
        removeFromWaiting(request, of: file)
        guard submitAlone(request, of: file, lane) else { return .queueIsFull }
      }
    }
    return file.hasWaiting ? .fileIsFull : .finished
  }

  /// Writes go one after the other, since the remainder of a short write must precede the next one.
  private func mayBegin(
    _ request: RequestRef, _ direction: TransferDirection, _ file: AIOFile
  ) -> Bool {
    let count = file.inFlightCount(direction)
    guard count < (direction == .writing ? 1 : blockingFileDepth) else { return false }
    return count > 0 || admits(file, direction)
  }

  /// Whether a direction of a file may begin now. If not, the file is held back until another one's
  /// operations in that direction have ended.
  private func admits(_ file: AIOFile, _ direction: TransferDirection) -> Bool {
    guard hot.counts.blockingFiles(direction) < configuration.blockingFileLimit else {
      if file.heldBackDirections.insert(direction).inserted { heldBack[direction].append(file) }
      return false
    }
    return true
  }

  /// The lane of a direction. It is nil while the file has only one descriptor and the other
  /// direction is using it; the queue then retries to open a second one now and then.
  private func lane(for direction: TransferDirection, of file: AIOFile) -> Int? {
    if let lane = file.lanes.forBlockingFile(direction) { return lane }
    if !file.waitsForDescriptor { heldBack.withoutDescriptor.append(file) }
    file.waitsForDescriptor = true
    return nil
  }

  /// Lets files retry to open the descriptor that they could not get.
  func retryDescriptors() {
    while let file = heldBack.withoutDescriptor.popFirst() {
      file.waitsForDescriptor = false
      file.lanes.retryDuplicates()
      makeReady(file)
    }
  }

  /// Makes ready the file that was held back first, if a place is free.
  private func admitNextBlockingFile(_ direction: TransferDirection) {
    guard hot.counts.blockingFiles(direction) < configuration.blockingFileLimit else { return }
    while let file = heldBack[direction].popFirst() {
      file.heldBackDirections.remove(direction)
      guard file.waiting(direction).isEmpty else { return makeReady(file) }
    }
  }

  /// Gives the places that a file does not use to others: the request for which the file was
  /// admitted may have been cancelled or refused in the meantime.
  func passOnPlaces(of file: AIOFile) {
    for direction in TransferDirection.allCases where file.inFlightCount(direction) == 0 {
      admitNextBlockingFile(direction)
    }
  }
}

extension AIOFile {
  /// The waiting requests of one direction.
  func waiting(_ direction: TransferDirection) -> RequestList {
    direction == .reading ? waiting : waitingOutput
  }

  /// The number of operations in flight in one direction.
  func inFlightCount(_ direction: TransferDirection) -> Int {
    direction == .reading ? counts.readsInFlight : counts.inFlight - counts.readsInFlight
  }
}
