/// The direction of an operation on a pipe, socket or terminal. Each has its own order, its own
/// lane and its own limits, so that a read that waits for ever holds up no write, and the other way
/// round.
enum StreamSide: CaseIterable {
  case reading, writing
}

extension RequestRef {
  /// Syncs and their doorbells go with the writes.
  var side: StreamSide { pointee.kind == .read ? .reading : .writing }
}

/// Pipes, sockets and terminals: each direction of each can keep a helper thread for ever, so few
/// of them have something in flight, and the others wait for one to end.
extension CompletionQueue {
  /// What waits for others of its direction to end.
  struct HeldBackStreams {
    private var reading = ReadyFiles()
    private var writing = ReadyFiles()

    subscript(side: StreamSide) -> ReadyFiles {
      _read {
        switch side {
        case .reading: yield reading
        case .writing: yield writing
        }
      }
      _modify {
        switch side {
        case .reading: yield &reading
        case .writing: yield &writing
        }
      }
    }
  }

  /// Most operations of one direction in flight: all streams together leave at least half of
  /// ``Configuration/inFlightLimit`` to files, where the limits allow for that.
  private var streamSideLimit: Int {
    let share = configuration.inFlightLimit / 4 / configuration.streamLimit
    return min(configuration.inFlightLimitPerFile, max(1, share))
  }

  /// Submits what a stream may have in flight of what waits, each direction by itself.
  func serveStream(_ file: AIOFile) -> Turn {
    for side in StreamSide.allCases {
      while let request = file.waiting(side).first {
        guard books.inFlight.count < configuration.inFlightLimit else { return .queueIsFull }
        guard mayBegin(request, side, file), let lane = lane(for: side, of: file) else { break }
        takeWaiting(request, of: file)
        guard submitAlone(request, of: file, lane) else { return .queueIsFull }
      }
    }
    return file.hasWaiting ? .fileIsFull : .finished
  }

  /// Writes go one after the other, since the rest of a short one must come before the next.
  private func mayBegin(_ request: RequestRef, _ side: StreamSide, _ file: AIOFile) -> Bool {
    let count = file.inFlightCount(side)
    guard count < (side == .writing ? 1 : streamSideLimit) else { return false }
    return count > 0 || admits(file, side)
  }

  /// Whether a direction may begin now; one that may not is made ready when another ends.
  private func admits(_ file: AIOFile, _ side: StreamSide) -> Bool {
    guard books.counts.streams(side) < configuration.streamLimit else {
      if file.heldBackSides.insert(side).inserted { heldBack[side].append(file) }
      return false
    }
    return true
  }

  /// The lane of a direction; nil while it would stand behind the other one on the only descriptor
  /// that there is. Another descriptor is asked for again now and then.
  private func lane(for side: StreamSide, of file: AIOFile) -> Int? {
    if let lane = file.lanes.forStream(side) { return lane }
    if !file.waitsForDescriptor { withoutDescriptor.append(file) }
    file.waitsForDescriptor = true
    return nil
  }

  /// Has streams ask again for the descriptor that they could not get.
  func retryDescriptors() {
    while let file = withoutDescriptor.popFirst() {
      file.waitsForDescriptor = false
      file.lanes.retryDuplicates()
      makeReady(file)
    }
  }

  /// Makes ready what was held back for the longest time, when there is a place for it.
  private func admitNextStream(_ side: StreamSide) {
    guard books.counts.streams(side) < configuration.streamLimit else { return }
    while let file = heldBack[side].popFirst() {
      file.heldBackSides.remove(side)
      guard file.waiting(side).isEmpty else { return makeReady(file) }
    }
  }

  /// Lets others have the places that a stream does not take: what it was to begin with may have
  /// been cancelled or refused.
  func passOnPlaces(of file: AIOFile) {
    for side in StreamSide.allCases where file.inFlightCount(side) == 0 { admitNextStream(side) }
  }
}

extension AIOFile {
  /// What waits in one direction of a stream.
  func waiting(_ side: StreamSide) -> RequestList {
    side == .reading ? waiting : waitingOutput
  }

  /// Operations in flight in one direction of a stream.
  func inFlightCount(_ side: StreamSide) -> Int {
    side == .reading ? counts.readsInFlight : counts.inFlight - counts.readsInFlight
  }
}
