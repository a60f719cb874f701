internal import Glibc

/// Where a request stands, and what is known of it. Only this file changes it.
struct RequestProgress {
  struct Flags: OptionSet {
    let rawValue: UInt8

    /// The page cache did not have what a read asks for.
    static let cold = Flags(rawValue: 1)
    /// The error is not the kernel's word on the file: a cancellation of ours, or a refusal of
    /// glibc's before anything was started.
    static let canceled = Flags(rawValue: 2)
    /// Completed before glibc was done with it; the handler is gone.
    static let abandoned = Flags(rawValue: 4)
    /// Not to be merged again, after a merged write that it was part of has failed.
    static let single = Flags(rawValue: 8)
  }

  static let inPool = RequestProgress()

  fileprivate(set) var state = Request.State.free
  fileprivate(set) var flags: Flags = []
}

/// The counts of a queue that its lists do not keep. Only this file changes them.
struct QueueCounts: Equatable {
  /// Accepted requests whose handler has not been called yet.
  fileprivate(set) var unfinished = 0
  /// In flight, but nobody's request any more: doorbells, and what was abandoned.
  fileprivate(set) var ownerless = 0
  /// Waiting or in flight as a part of another, and not abandoned.
  fileprivate(set) var joined = 0
  /// Pipes, sockets and terminals with something in flight in each direction.
  private var readingStreams = 0
  private var writingStreams = 0

  /// Pipes, sockets and terminals with something in flight in one direction.
  func streams(_ side: StreamSide) -> Int { side == .reading ? readingStreams : writingStreams }

  fileprivate mutating func countStream(_ side: StreamSide, by change: Int) {
    switch side {
    case .reading: readingStreams += change
    case .writing: writingStreams += change
    }
  }
}

/// The counts of a file. Only this file changes them.
struct FileCounts: Equatable {
  /// Requests and doorbells that have not ended, and calls that have borrowed the descriptor.
  fileprivate(set) var unfinished = 0
  /// Calls on other threads that have borrowed the descriptor.
  fileprivate(set) var lent = 0
  /// Operations that glibc holds, and how many of them are writes, and reads.
  fileprivate(set) var inFlight = 0
  fileprivate(set) var writesInFlight = 0
  fileprivate(set) var readsInFlight = 0

  fileprivate mutating func countInFlight(_ kind: Request.Kind, by change: Int) {
    inFlight += change
    switch kind {
    case .read: readsInFlight += change
    case .write: writesInFlight += change
    case .sync, .dataSync, .doorbell, .detach: break
    }
  }
}

// Of the reference: a computed property of the request itself has it copied as a whole.
extension RequestRef {
  var state: Request.State { pointee.progress.state }
  var isCold: Bool { pointee.progress.flags.contains(.cold) }
  var wasCanceled: Bool { pointee.progress.flags.contains(.canceled) }
  var isAbandoned: Bool { pointee.progress.flags.contains(.abandoned) }
  var isSingle: Bool { pointee.progress.flags.contains(.single) }

  /// Whether somebody waits for its handler.
  fileprivate var isOwned: Bool { pointee.kind != .doorbell && !isAbandoned }
}

/// Every change of where a request stands. A request goes from one place to another through the
/// state `taken`, so each function knows the state before, and traps where it is another.
extension CompletionQueue {
  @inline(__always)
  private func move(_ request: RequestRef, from: Request.State, to: Request.State) {
    require(
      request.pointee.progress.state == from, "CompletionQueue: a request is not where it should be"
    )
    request.pointee.progress.state = to
  }

  // MARK: Into the queue and out of it

  /// Takes a slot into use; its kind says for what.
  @inline(__always)
  func admit(_ request: RequestRef, of file: AIOFile) {
    move(request, from: .free, to: .taken)
    request.pointee.file = file
    file.counts.unfinished += 1
    if request.isOwned { books.counts.unfinished += 1 }
  }

  /// Gives a slot back whose handler, file and memory have been moved out. Its file is to be told
  /// with `requestEnded()`, after the handler.
  @inline(__always)
  func free(_ request: RequestRef) {
    move(request, from: .taken, to: .free)
    if request.isOwned { books.counts.unfinished -= 1 }
    request.pointee.progress.flags = []
    pool.put(request)
  }

  /// Leaves a slot to the ``Orphanage``.
  func orphan(_ request: RequestRef) {
    move(request, from: .taken, to: .orphaned)
  }

  // MARK: Waiting with its file

  @inline(__always)
  func putWaiting(_ request: RequestRef, of file: AIOFile) {
    move(request, from: .taken, to: .waiting)
    if isOutput(request, file) {
      file.waitingOutput.append(request)
    } else {
      file.waiting.append(request)
    }
  }

  /// Before the others of its file.
  func putWaitingFirst(_ request: RequestRef, of file: AIOFile) {
    move(request, from: .taken, to: .waiting)
    if isOutput(request, file) {
      file.waitingOutput.prepend(request)
    } else {
      file.waiting.prepend(request)
    }
  }

  @inline(__always)
  func takeWaiting(_ request: RequestRef, of file: AIOFile) {
    move(request, from: .waiting, to: .taken)
    if isOutput(request, file) {
      file.waitingOutput.remove(request)
    } else {
      file.waiting.remove(request)
    }
  }

  /// Whether it waits in the list of the other direction of a stream than reads.
  @inline(__always)
  private func isOutput(_ request: RequestRef, _ file: AIOFile) -> Bool {
    request.pointee.kind != .read && file.traits.isStream
  }

  // MARK: Parked; the list is the file's or its barrier's

  func putParked(_ request: RequestRef) { move(request, from: .taken, to: .parked) }

  func takeParked(_ request: RequestRef) { move(request, from: .parked, to: .taken) }

  // MARK: Part of another request

  func putJoined(_ request: RequestRef) {
    move(request, from: .taken, to: .joined)
    if request.isOwned { books.counts.joined += 1 }
  }

  func takeJoined(_ request: RequestRef) {
    move(request, from: .joined, to: .taken)
    if request.isOwned { books.counts.joined -= 1 }
  }

  // MARK: With glibc

  func putInFlight(_ request: RequestRef, of file: AIOFile) {
    move(request, from: .taken, to: .inFlight)
    request.pointee.handedOverAt = books.now
    books.inFlight.append(request)
    if !request.isOwned { books.counts.ownerless += 1 }
    let side = request.side
    if file.traits.isStream, file.inFlightCount(side) == 0 {
      books.counts.countStream(side, by: 1)
    }
    file.counts.countInFlight(request.pointee.kind, by: 1)
  }

  func takeInFlight(_ request: RequestRef, of file: AIOFile) {
    move(request, from: .inFlight, to: .taken)
    books.inFlight.remove(request)
    groups.leave(request)
    file.lanes.remove(request)
    if !request.isOwned { books.counts.ownerless -= 1 }
    file.counts.countInFlight(request.pointee.kind, by: -1)
    let side = request.side
    if file.traits.isStream, file.inFlightCount(side) == 0 {
      books.counts.countStream(side, by: -1)
    }
  }

  // MARK: Done

  @inline(__always)
  func putFinished(_ request: RequestRef) {
    move(request, from: .taken, to: .finished)
    books.finished.append(request)
  }

  @inline(__always)
  func takeFinished() -> RequestRef? {
    guard let request = books.finished.first else { return nil }
    move(request, from: .finished, to: .taken)
    books.finished.remove(request)
    return request
  }

  // MARK: What is known of a request

  func setOutcome(_ request: RequestRef, _ errorNumber: Int32, isCancellation: Bool) {
    request.pointee.errorNumber = errorNumber
    if isCancellation {
      request.pointee.progress.flags.insert(.canceled)
    } else {
      request.pointee.progress.flags.remove(.canceled)
    }
  }

  func markCold(_ request: RequestRef) { request.pointee.progress.flags.insert(.cold) }

  func markSingle(_ request: RequestRef) { request.pointee.progress.flags.insert(.single) }

  /// Has a request that goes on count as nobody's; another slot completes it.
  func markAbandoned(_ request: RequestRef) {
    require(request.isOwned, "CompletionQueue: a request is abandoned only once")
    switch request.state {
    case .inFlight: books.counts.ownerless += 1
    case .joined: books.counts.joined -= 1
    case .waiting: break
    case .free, .taken, .parked, .finished, .orphaned:
      trap("CompletionQueue: what does not go on is not abandoned")
    }
    request.pointee.progress.flags.insert(.abandoned)
    books.counts.unfinished -= 1
  }
}

extension AIOFile {
  func countRequestOut() { counts.unfinished -= 1 }

  func countLent() {
    counts.unfinished += 1
    counts.lent += 1
  }

  /// The request is counted out by itself.
  func countGivenBack() { counts.lent -= 1 }
}

// MARK: - Checks

extension CompletionQueue {
  /// Slots of which so many are looked at after each drain of a debug build; of larger pools none.
  private static let checkedSlotLimit: UInt32 = 512

  /// Counts again what the counts say. For debug builds; between drains it holds always.
  func checkCounts() -> Bool {
    guard pool.slotCount <= Self.checkedSlotLimit, stage != .retired else { return true }
    var counts = QueueCounts()
    var states: [Request.State: Int] = [:]
    var files: [ObjectIdentifier: (file: AIOFile, counts: FileCounts)] = [:]
    for index in 0..<pool.slotCount {
      guard let request = pool.slot(index), request.state != .free else { continue }
      states[request.state, default: 0] += 1
      if request.isOwned { counts.unfinished += 1 }
      if request.isOwned, request.state == .joined { counts.joined += 1 }
      if !request.isOwned, request.state == .inFlight { counts.ownerless += 1 }
      guard let file = request.pointee.file else { return false }
      var fileCounts = files[ObjectIdentifier(file)]?.counts ?? FileCounts()
      fileCounts.unfinished += 1
      if request.state == .inFlight {
        fileCounts.countInFlight(request.pointee.kind, by: 1)
      }
      files[ObjectIdentifier(file)] = (file, fileCounts)
    }
    for (file, found) in files.values {
      var expected = found
      expected.lent = file.counts.lent
      expected.unfinished += expected.lent
      guard file.counts == expected else { return false }
      guard file.traits.isStream else { continue }
      for side in StreamSide.allCases where file.inFlightCount(side) > 0 {
        counts.countStream(side, by: 1)
      }
    }
    return counts == books.counts && states[.taken] == nil
      && states[.inFlight, default: 0] == books.inFlight.count
      && states[.finished, default: 0] == books.finished.count
  }
}
