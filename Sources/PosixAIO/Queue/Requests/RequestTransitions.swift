internal import Glibc

/// The state of a request, and what is known of it. Only this file changes it.
struct RequestProgress {
  struct Flags: OptionSet {
    let rawValue: UInt8

    /// The page cache did not have the bytes of a read.
    static let cacheMiss = Flags(rawValue: 1)
    /// The error says nothing about the file: the queue cancelled the request, or glibc refused it
    /// before anything was started.
    static let canceled = Flags(rawValue: 2)
    /// Completed before glibc was done with it; it has no handler any more.
    static let abandoned = Flags(rawValue: 4)
    /// Not to be merged again, because the merged write that it was part of failed or was split.
    static let unmergeable = Flags(rawValue: 8)
  }

  static let inPool = RequestProgress()

  fileprivate(set) var state = Request.State.free
  fileprivate(set) var flags: Flags = []
}

/// The counts of a queue that its lists do not keep. Only this file changes them.
struct QueueCounts: Equatable {
  /// Accepted requests whose handler has not been called yet.
  fileprivate(set) var unfinished = 0
  /// Operations in flight without a handler: sync markers and abandoned requests.
  fileprivate(set) var ownerless = 0
  /// Requests that have joined one that waits or is in flight, except abandoned ones.
  fileprivate(set) var joined = 0
  /// Files that may block forever and have operations in flight, by direction.
  private var readingFiles = 0
  private var writingFiles = 0

  /// The number of files that may block forever and have operations in flight in one direction.
  func blockingFiles(_ direction: TransferDirection) -> Int {
    direction == .reading ? readingFiles : writingFiles
  }

  fileprivate mutating func countBlockingFile(_ direction: TransferDirection, by change: Int) {
    switch direction {
    case .reading: readingFiles += change
    case .writing: writingFiles += change
    }
  }
}

/// The counts of a file. Only this file changes them.
struct FileCounts: Equatable {
  /// Requests and sync markers that have not ended, and calls that have borrowed the descriptor.
  fileprivate(set) var unfinished = 0
  /// Calls on other threads that have borrowed the descriptor.
  fileprivate(set) var lent = 0
  /// Operations that glibc holds, and how many of them are writes and reads.
  fileprivate(set) var inFlight = 0
  fileprivate(set) var writesInFlight = 0
  fileprivate(set) var readsInFlight = 0

  fileprivate mutating func countInFlight(_ kind: Request.Kind, by change: Int) {
    inFlight += change
    switch kind {
    case .read: readsInFlight += change
    case .write: writesInFlight += change
    case .sync, .dataSync, .syncMarker, .detach: break
    }
  }
}

// On the reference, because a computed property of the request itself would copy all of it.
extension RequestRef {
  var state: Request.State { pointee.progress.state }
  var missedCache: Bool { pointee.progress.flags.contains(.cacheMiss) }
  var wasCanceled: Bool { pointee.progress.flags.contains(.canceled) }
  var isAbandoned: Bool { pointee.progress.flags.contains(.abandoned) }
  var isUnmergeable: Bool { pointee.progress.flags.contains(.unmergeable) }

  /// Whether the request has a handler of its own to call.
  fileprivate var isOwned: Bool { pointee.kind != .syncMarker && !isAbandoned }
}

/// Every change of a request's state. A request goes from one state to another through `unlisted`,
/// so each function knows the state before it, and traps if the request has another.
extension CompletionQueue {
  @inline(__always)
  private func move(_ request: RequestRef, from: Request.State, to: Request.State) {
    require(
      request.pointee.progress.state == from, "CompletionQueue: a request is in the wrong state"
    )
    request.pointee.progress.state = to
  }

  // MARK: In and out of the pool

  /// Takes a slot into use. Its kind is set.
  @inline(__always)
  func admit(_ request: RequestRef, of file: AIOFile) {
    move(request, from: .free, to: .unlisted)
    request.pointee.file = file
    file.counts.unfinished += 1
    if request.isOwned { hot.counts.unfinished += 1 }
  }

  /// Returns a slot whose handler, file and memory have been moved out. The caller then calls the
  /// file's `requestEnded()`, after the handler.
  @inline(__always)
  func free(_ request: RequestRef) {
    move(request, from: .unlisted, to: .free)
    if request.isOwned { hot.counts.unfinished -= 1 }
    request.pointee.progress.flags = []
    pool.release(request)
  }

  /// Leaves a slot to the ``Orphanage``.
  func orphan(_ request: RequestRef) {
    move(request, from: .unlisted, to: .orphaned)
  }

  // MARK: Waiting with its file

  @inline(__always)
  func addToWaiting(_ request: RequestRef, of file: AIOFile) {
    move(request, from: .unlisted, to: .waiting)
    if isOutput(request, file) {
      file.waitingOutput.append(request)
    } else {
      file.waiting.append(request)
    }
  }

  /// Before the others of its file.
  func addToWaitingFront(_ request: RequestRef, of file: AIOFile) {
    move(request, from: .unlisted, to: .waiting)
    if isOutput(request, file) {
      file.waitingOutput.prepend(request)
    } else {
      file.waiting.prepend(request)
    }
  }

  @inline(__always)
  func removeFromWaiting(_ request: RequestRef, of file: AIOFile) {
    move(request, from: .waiting, to: .unlisted)
    if isOutput(request, file) {
      file.waitingOutput.remove(request)
    } else {
      file.waiting.remove(request)
    }
  }

  /// Whether the request goes to `waitingOutput`, as the writes and syncs of a file that may block
  /// forever do.
  @inline(__always)
  private func isOutput(_ request: RequestRef, _ file: AIOFile) -> Bool {
    request.pointee.kind != .read && file.traits.mayBlockForever
  }

  // MARK: Parked, with the file or its barrier

  func markParked(_ request: RequestRef) { move(request, from: .unlisted, to: .parked) }

  func unmarkParked(_ request: RequestRef) { move(request, from: .parked, to: .unlisted) }

  // MARK: Joined to another request

  func markJoined(_ request: RequestRef) {
    move(request, from: .unlisted, to: .joined)
    if request.isOwned { hot.counts.joined += 1 }
  }

  func unmarkJoined(_ request: RequestRef) {
    move(request, from: .joined, to: .unlisted)
    if request.isOwned { hot.counts.joined -= 1 }
  }

  // MARK: In flight

  func addToInFlight(_ request: RequestRef, of file: AIOFile) {
    move(request, from: .unlisted, to: .inFlight)
    request.pointee.submittedAt = hot.now
    hot.inFlight.append(request)
    if !request.isOwned { hot.counts.ownerless += 1 }
    let direction = request.direction
    if file.traits.mayBlockForever, file.inFlightCount(direction) == 0 {
      hot.counts.countBlockingFile(direction, by: 1)
    }
    file.counts.countInFlight(request.pointee.kind, by: 1)
  }

  func removeFromInFlight(_ request: RequestRef, of file: AIOFile) {
    move(request, from: .inFlight, to: .unlisted)
    hot.inFlight.remove(request)
    groups.leave(request)
    file.lanes.remove(request)
    if !request.isOwned { hot.counts.ownerless -= 1 }
    file.counts.countInFlight(request.pointee.kind, by: -1)
    let direction = request.direction
    if file.traits.mayBlockForever, file.inFlightCount(direction) == 0 {
      hot.counts.countBlockingFile(direction, by: -1)
    }
  }

  // MARK: Finished

  @inline(__always)
  func addToFinished(_ request: RequestRef) {
    move(request, from: .unlisted, to: .finished)
    hot.finished.append(request)
  }

  @inline(__always)
  func popFinished() -> RequestRef? {
    guard let request = hot.finished.first else { return nil }
    move(request, from: .finished, to: .unlisted)
    hot.finished.remove(request)
    return request
  }

  // MARK: Knowledge about a request

  func setOutcome(_ request: RequestRef, _ errorNumber: Int32, isCancellation: Bool) {
    request.pointee.errorNumber = errorNumber
    if isCancellation {
      request.pointee.progress.flags.insert(.canceled)
    } else {
      request.pointee.progress.flags.remove(.canceled)
    }
  }

  func markCacheMiss(_ request: RequestRef) { request.pointee.progress.flags.insert(.cacheMiss) }

  func markUnmergeable(_ request: RequestRef) {
    request.pointee.progress.flags.insert(.unmergeable)
  }

  /// Turns a request that goes on into one without a handler; another slot completes it.
  func markAbandoned(_ request: RequestRef) {
    require(request.isOwned, "CompletionQueue: a request can be abandoned only once")
    switch request.state {
    case .inFlight: hot.counts.ownerless += 1
    case .joined: hot.counts.joined -= 1
    case .waiting: break
    case .free, .unlisted, .parked, .finished, .orphaned:
      trap("CompletionQueue: only a request that goes on can be abandoned")
    }
    request.pointee.progress.flags.insert(.abandoned)
    hot.counts.unfinished -= 1
  }
}

extension AIOFile {
  func countRequestOut() { counts.unfinished -= 1 }

  func countLent() {
    counts.unfinished += 1
    counts.lent += 1
  }

  /// The borrowed descriptor still counts as unfinished, until `requestEnded()`.
  func countGivenBack() { counts.lent -= 1 }
}

// MARK: - Checks

extension CompletionQueue {
  /// The most slots that a debug build recounts after each drain; larger pools are not recounted.
  private static let checkedSlotLimit: UInt32 = 512

  /// Counts the requests again and compares that with the kept counts, in debug builds after each
  /// drain.
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
      guard file.traits.mayBlockForever else { continue }
      for direction in TransferDirection.allCases where file.inFlightCount(direction) > 0 {
        counts.countBlockingFile(direction, by: 1)
      }
    }
    return counts == hot.counts && states[.unlisted] == nil
      && states[.inFlight, default: 0] == hot.inFlight.count
      && states[.finished, default: 0] == hot.finished.count
  }
}
