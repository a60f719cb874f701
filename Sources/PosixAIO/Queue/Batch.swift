/// The requests of one hand-over. The queue keeps one and uses its memory again.
@safe
struct Batch {
  /// All members, in order.
  private(set) var members: [RequestRef] = []

  /// The control blocks of those members that `lio_listio(3)` has to start.
  private(set) var controls: [AIOSystem.Control?] = unsafe []

  init() {
    members.reserveCapacity(Group.memberLimit)
    unsafe controls.reserveCapacity(Group.memberLimit)
  }

  /// Adds a request that is to be started with the batch.
  mutating func append(_ request: RequestRef) {
    unsafe controls.append(request.control)
    members.append(request)
  }

  /// Adds a request that glibc has already.
  mutating func appendStarted(_ request: RequestRef) {
    members.append(request)
  }

  mutating func removeAll() {
    members.removeAll(keepingCapacity: true)
    unsafe controls.removeAll(keepingCapacity: true)
  }
}
