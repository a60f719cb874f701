internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The descriptors of one file.
///
/// glibc runs one operation per descriptor number at a time. To run several, a file has several
/// descriptors, its *lanes*: the one it was made with, and duplicates that are opened on demand and
/// closed with the file.
///
/// - Reads that miss the page cache, and direct writes, go to the least busy of half as many lanes
///   as there are operations.
/// - Other writes stay on one lane: in the page cache they gain nothing from running in parallel,
///   and appends keep their order.
/// - A sync goes after the writes that it covers, on their lane, or on another one. Later
///   writes go to another lane than the sync, once the writes before it have ended.
@safe
struct Lanes {
  fileprivate struct Lane {
    let descriptor: Int32
    var inFlightCount = 0
    /// The operations in flight in the order in which glibc runs them, linked by `nextOnLane`.
    var first: RequestRef?
    var last: RequestRef?
  }

  /// The number of lanes to use before operations queue behind one another.
  private static let leastSpread = 4

  fileprivate var lanes: [Lane]
  private let limit: Int
  private var inFlightCount = 0
  /// The lane of the writes that are in flight, or of the last ones.
  private(set) var writeLane = 0
  /// The lane of the sync in flight. A file has one at a time.
  private var syncLane: Int?
  /// Whether the process could not open another descriptor; retried when an operation has ended.
  private var isStarved = false
  private var ownsDuplicates = true

  init(_ descriptor: Int32, limit: Int) {
    require(limit > 0, "CompletionQueue: lanesPerFile must be 1 or more")
    lanes = [Lane(descriptor: descriptor)]
    // A request stores its lane in 16 bits.
    self.limit = min(limit, Int(Int16.max))
  }

  /// The descriptor that the file was made with.
  var first: Int32 { lanes[0].descriptor }

  func descriptor(_ lane: Int) -> Int32 { lanes[lane].descriptor }

  /// A lane for an operation that may run in parallel with others.
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

  /// The number of lanes over which operations spread: half as many as there are operations. A
  /// helper that ends an operation then finds the next one on the same lane and continues; without
  /// one, glibc would end the helper and start another for the next operation.
  private var spread: Int { max(Self.leastSpread, (inFlightCount + 1) / 2) }

  /// The lane for a write that keeps its order among the others.
  mutating func forOrderedWrite(othersAreInFlight: Bool) -> Int {
    if !othersAreInFlight, writeLane == syncLane { writeLane = leastBusy() }
    return writeLane
  }

  /// Whether a write on the write lane would wait for a sync there that it could avoid.
  var hasSyncOnWriteLane: Bool { syncLane == writeLane && limit > 1 }

  /// A lane for a sync that waits for no write: an idle one other than the write lane if possible,
  /// and the write lane if there is no other.
  mutating func besideWrites() -> Int {
    var best: Int?
    for lane in lanes.indices where lane != writeLane {
      if lanes[lane].inFlightCount == 0 { return lane }
      if best.map({ lanes[lane].inFlightCount < lanes[$0].inFlightCount }) ?? true { best = lane }
    }
    return addLane() ?? best ?? writeLane
  }

  /// The lane of one direction of a file that may block forever: the first one for reads, a
  /// duplicate for writes, if the file has both. If the duplicate cannot be opened, both directions
  /// take turns on the first lane; nil while the other direction is on it.
  mutating func forBlockingFile(_ direction: TransferDirection) -> Int? {
    guard limit > 1 else { return 0 }
    if direction == .writing {
      if lanes.count > 1 { return 1 }
      if let duplicate = addLane() { return duplicate }
    }
    let isFree = lanes[0].first.map { $0.direction == direction } ?? true
    return isFree ? 0 : nil
  }

  /// Lets the next operation that needs a descriptor try to open one.
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

  /// Adds a request that is about to be submitted, and stores its lane in it.
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

  /// Removes a request that has ended, or that glibc refused.
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

  /// The operation before a request on its lane. glibc runs a lane in order, so few or none precede
  /// a request that ends.
  private func predecessor(of request: RequestRef, on lane: Int) -> RequestRef? {
    var preceding: RequestRef?
    var current = lanes[lane].first
    while let member = current, !(member == request) {
      preceding = member
      current = member.pointee.nextOnLane
    }
    return preceding
  }

  /// The number of lanes.
  var count: Int { lanes.count }

  /// The operation that glibc runs on a lane, or one that has ended and is not reaped yet. Nil also
  /// for a lane that was given away in the meantime: at the queue's end that happens while the last
  /// operation is reaped.
  func front(of lane: Int) -> RequestRef? { lane < lanes.count ? lanes[lane].first : nil }

  /// Whether no operation follows this one on its lane.
  func isLast(_ request: RequestRef) -> Bool {
    lanes[Int(request.pointee.lane)].last.map { $0 == request } ?? false
  }

  /// Gives all descriptors but the first to the caller, who closes them. Nothing may be in flight.
  mutating func takeDuplicates() -> [Int32] {
    guard lanes.count > 1, ownsDuplicates else { return [] }
    let duplicates = lanes.dropFirst().map(\.descriptor)
    lanes.removeLast(duplicates.count)
    writeLane = 0
    return duplicates
  }

  /// As ``takeDuplicates()``, while operations are in flight. No operation may be added after that.
  mutating func surrenderDuplicates() -> [Int32] {
    guard ownsDuplicates else { return [] }
    ownsDuplicates = false
    return lanes.dropFirst().map(\.descriptor)
  }
}

extension Lanes {
  /// The sync in flight, if no marker follows it any more.
  var syncWithoutMarker: RequestRef? {
    guard let syncLane else { return nil }
    var sync: RequestRef?
    var request = lanes[syncLane].first
    while let current = request {
      if current.pointee.kind.isSync { sync = current }
      // A marker before the sync belongs to the sync before.
      if current.pointee.kind == .syncMarker { sync = nil }
      request = current.pointee.nextOnLane
    }
    return sync
  }
}
