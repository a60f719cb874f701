internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The descriptors of one file.
///
/// glibc runs one operation per descriptor number at a time, so a file that shall do several has
/// several descriptors, its *lanes*: the one it was made with, and duplicates of it that are opened
/// when they are needed and closed with the file.
///
/// - Reads that are not in the page cache, and direct writes, go to the lane with the least to do.
/// - Other writes stay on the first lane: in the page cache they gain nothing from company, and
///   appends keep their order.
/// - A sync has a lane of its own, so that writes accepted after it do not wait behind it.
@safe
struct Lanes {
  fileprivate struct Lane {
    let descriptor: Int32
    var inFlightCount = 0
    /// The last operation handed over, while it is in flight.
    var newest: RequestRef?
  }

  fileprivate var lanes: [Lane]
  private let limit: Int
  fileprivate var syncLane: Int?
  /// Whether another descriptor could not be had lately; asked again when something has ended.
  private var isStarved = false

  init(_ descriptor: Int32, limit: Int) {
    precondition(limit > 0, "CompletionQueue: lanesPerFile is 1 or more")
    lanes = [Lane(descriptor: descriptor)]
    self.limit = limit
  }

  /// The descriptor that the file was made with.
  var first: Int32 { lanes[0].descriptor }

  func descriptor(_ lane: Int) -> Int32 { lanes[lane].descriptor }

  /// The lane for an operation that may run beside others.
  mutating func leastBusy() -> Int {
    var best = 0
    for lane in lanes.indices where lane != syncLane {
      if lanes[lane].inFlightCount == 0 { return lane }
      if lanes[lane].inFlightCount < lanes[best].inFlightCount { best = lane }
    }
    return addLane() ?? best
  }

  /// The lane for a sync; the first one where no other is allowed or to be had.
  mutating func forSync() -> Int {
    if let syncLane { return syncLane }
    syncLane = addLane()
    return syncLane ?? 0
  }

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

  mutating func handedOver(_ request: RequestRef, on lane: Int) {
    lanes[lane].inFlightCount += 1
    lanes[lane].newest = request
  }

  mutating func ended(_ request: RequestRef) {
    let lane = Int(request.pointee.lane)
    lanes[lane].inFlightCount -= 1
    isStarved = false
    if let newest = lanes[lane].newest, newest == request { lanes[lane].newest = nil }
  }

  /// Whether nothing stands behind this operation on its lane.
  func isNewest(_ request: RequestRef) -> Bool {
    lanes[Int(request.pointee.lane)].newest.map { $0 == request } ?? false
  }

  /// Closes all but the first. Nothing may be in flight.
  mutating func closeDuplicates() {
    for lane in lanes.dropFirst() {
      close(lane.descriptor)
    }
    lanes.removeLast(lanes.count - 1)
    syncLane = nil
  }
}

extension Lanes {
  /// The descriptors on which reads or writes are in flight.
  var busyTransferLanes: [Int32] {
    lanes.indices.filter { $0 != syncLane && lanes[$0].inFlightCount > 0 }
      .map { lanes[$0].descriptor }
  }
}
