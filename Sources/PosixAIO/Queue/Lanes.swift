internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The descriptors of one file.
///
/// glibc runs one operation per descriptor number at a time, so a file that shall do several has
/// several descriptors, its *lanes*: the one it was made with, and duplicates of it that are opened
/// when they are needed and closed with the file.
///
/// - Reads that are not in the page cache, and direct writes, go to the lane with the least to do,
///   of half as many lanes as there are operations.
/// - Other writes stay on one lane: in the page cache they gain nothing from company, and appends
///   keep their order.
/// - A sync goes behind the writes that it waits for, or on another lane. Writes accepted after it
///   go to another lane than it, as soon as those before it have ended.
@safe
struct Lanes {
  fileprivate struct Lane {
    let descriptor: Int32
    var inFlightCount = 0
    /// The operations in flight in the order in which glibc runs them, linked by `nextOnLane`.
    var first: RequestRef?
    var last: RequestRef?
  }

  /// So many lanes are used before an operation goes behind another.
  private static let leastSpread = 4

  fileprivate var lanes: [Lane]
  private let limit: Int
  private var inFlightCount = 0
  /// The lane of the writes that are in flight, or of the last ones.
  private(set) var writeLane = 0
  /// The lane of the sync that is in flight: a file has one at a time.
  private var syncLane: Int?
  /// Whether another descriptor could not be had lately; asked again when something has ended.
  private var isStarved = false
  private var ownsDuplicates = true

  init(_ descriptor: Int32, limit: Int) {
    require(limit > 0, "CompletionQueue: lanesPerFile is 1 or more")
    lanes = [Lane(descriptor: descriptor)]
    // A request names its lane in 16 bits.
    self.limit = min(limit, Int(Int16.max))
  }

  /// The descriptor that the file was made with.
  var first: Int32 { lanes[0].descriptor }

  func descriptor(_ lane: Int) -> Int32 { lanes[lane].descriptor }

  /// The lane for an operation that may run beside others.
  mutating func leastBusy() -> Int {
    var best: Int?
    var count = 0
    for lane in lanes.indices where lane != syncLane && count < spread {
      count += 1
      if lanes[lane].inFlightCount == 0 { return lane }
      if best.map({ lanes[lane].inFlightCount < lanes[$0].inFlightCount }) ?? true { best = lane }
    }
    return (count < spread ? addLane() : nil) ?? best ?? 0
  }

  /// Over how many lanes operations spread: half as many as there are. A helper then finds the next
  /// one behind the one that it ends, and goes on, where glibc would end it and make another.
  private var spread: Int { max(Self.leastSpread, (inFlightCount + 1) / 2) }

  /// The lane for a write that keeps its place among the others.
  mutating func forOrderedWrite(othersAreInFlight: Bool) -> Int {
    if !othersAreInFlight, writeLane == syncLane { writeLane = leastBusy() }
    return writeLane
  }

  /// Whether what goes to the lane of the writes waits for a sync there, and need not.
  var hasSyncBehindWrites: Bool { syncLane == writeLane && limit > 1 }

  /// A lane for a sync that is in nobody's way; that of the writes where no other is to be had.
  mutating func besideWrites() -> Int {
    var best: Int?
    for lane in lanes.indices where lane != writeLane {
      if lanes[lane].inFlightCount == 0 { return lane }
      if best.map({ lanes[lane].inFlightCount < lanes[$0].inFlightCount }) ?? true { best = lane }
    }
    return addLane() ?? best ?? writeLane
  }

  /// The lane of one direction of a stream: the first for reads, a duplicate for writes, if it has
  /// both. Where that is not to be had, the first for either, one direction at a time; nil while
  /// the other one is there.
  mutating func forStream(_ side: StreamSide) -> Int? {
    guard limit > 1 else { return 0 }
    if side == .writing {
      if lanes.count > 1 { return 1 }
      if let duplicate = addLane() { return duplicate }
    }
    let isFree = lanes[0].first.map { $0.side == side } ?? true
    return isFree ? 0 : nil
  }

  /// Has the next one who needs a descriptor ask for it.
  mutating func retryDuplicates() { isStarved = false }

  private mutating func addLane() -> Int? {
    guard lanes.count < limit, !isStarved else { return nil }
    let duplicate = fcntl(first, F_DUPFD_CLOEXEC, 0)
    guard duplicate >= 0 else {
      isStarved = true
      return nil
    }
    lanes.append(Lane(descriptor: duplicate))
    return lanes.count - 1
  }

  /// Counts a request in that is about to be handed over, and notes its lane in it.
  mutating func append(_ request: RequestRef, to lane: Int) {
    request.pointee.lane = Int16(lane)
    request.pointee.nextOnLane = nil
    if let last = lanes[lane].last {
      last.pointee.nextOnLane = request
    } else {
      lanes[lane].first = request
    }
    lanes[lane].last = request
    lanes[lane].inFlightCount += 1
    inFlightCount += 1
    if request.pointee.kind.isSync { syncLane = lane }
  }

  /// Counts a request out that has ended, or that glibc did not take.
  mutating func remove(_ request: RequestRef) {
    let lane = Int(request.pointee.lane)
    let following = request.pointee.nextOnLane
    let preceding = predecessor(of: request, on: lane)
    if let preceding {
      preceding.pointee.nextOnLane = following
    } else {
      lanes[lane].first = following
    }
    if following == nil { lanes[lane].last = preceding }
    request.pointee.nextOnLane = nil
    lanes[lane].inFlightCount -= 1
    inFlightCount -= 1
    if request.pointee.kind.isSync { syncLane = nil }
    isStarved = false
  }

  /// What stands before a request. Since glibc runs a lane in order, few or none do when it ends.
  private func predecessor(of request: RequestRef, on lane: Int) -> RequestRef? {
    var preceding: RequestRef?
    var current = lanes[lane].first
    while let member = current, !(member == request) {
      preceding = member
      current = member.pointee.nextOnLane
    }
    return preceding
  }

  /// How many there are, the one for syncs included.
  var count: Int { lanes.count }

  /// What glibc runs now on a lane, or ran last if it has ended. Nil also for a lane that was given
  /// away meanwhile: at the queue's end that happens when the last operation is taken back.
  func front(of lane: Int) -> RequestRef? { lane < lanes.count ? lanes[lane].first : nil }

  /// Whether nothing stands behind this operation on its lane.
  func isLast(_ request: RequestRef) -> Bool {
    lanes[Int(request.pointee.lane)].last.map { $0 == request } ?? false
  }

  /// Gives all but the first to the caller, who closes them. Nothing may be in flight.
  mutating func takeDuplicates() -> [Int32] {
    guard lanes.count > 1, ownsDuplicates else { return [] }
    let duplicates = lanes.dropFirst().map(\.descriptor)
    lanes.removeLast(duplicates.count)
    writeLane = 0
    return duplicates
  }

  /// As ``takeDuplicates()``, while something is in flight. Nothing new may be after that.
  mutating func surrenderDuplicates() -> [Int32] {
    guard ownsDuplicates else { return [] }
    ownsDuplicates = false
    return lanes.dropFirst().map(\.descriptor)
  }
}

extension Lanes {
  /// A sync in flight behind which no doorbell stands any more.
  var syncWithoutDoorbell: RequestRef? {
    guard let syncLane else { return nil }
    var sync: RequestRef?
    var request = lanes[syncLane].first
    while let current = request {
      if current.pointee.kind.isSync { sync = current }
      // One in front of it is that of the sync before.
      if current.pointee.kind == .doorbell { sync = nil }
      request = current.pointee.nextOnLane
    }
    return sync
  }
}
