/// The requests of one submission. The queue has one batch and reuses its memory.
@safe
struct Batch {
  /// All members, in order.
  private(set) var members: [RequestRef] = []

  /// The control blocks of the members that `lio_listio(3)` has to start.
  private(set) var controls: [AIOSystem.Control?] = unsafe []

  init() {
    members.reserveCapacity(Group.memberLimit)
    unsafe controls.reserveCapacity(Group.memberLimit)
  }

  /// Adds a request that is started with the batch.
  mutating func append(_ request: RequestRef) {
    unsafe controls.append(request.control)
    members.append(request)
  }

  /// Adds a request that glibc has already taken.
  mutating func appendStarted(_ request: RequestRef) {
    members.append(request)
  }

  mutating func removeAll() {
    members.removeAll(keepingCapacity: true)
    unsafe controls.removeAll(keepingCapacity: true)
  }
}
