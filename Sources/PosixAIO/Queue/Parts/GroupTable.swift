/// Identifies one submission to glibc; the value of its signal.
///
/// An ID combines a group's index in the table with the index's *generation*, which changes with
/// each use. So a signal that arrives after the backstop has found its group names an earlier
/// generation and is ignored, as is any value that another process makes up.
struct GroupID: Equatable {
  let rawValue: UInt64

  /// The value of signals that name no group.
  static let none = GroupID(rawValue: 0)

  init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  init(index: Int, generation: UInt32) {
    rawValue = UInt64(generation) << 32 | UInt64(UInt32(index))
  }

  var index: Int { Int(UInt32(truncatingIfNeeded: rawValue)) }
  var generation: UInt32 { UInt32(rawValue >> 32) }
}

/// Operations that were submitted together and share one signal.
@safe
struct Group {
  /// The most operations in one submission. One signal for 16 operations is a small part of their
  /// cost, and glibc keeps its array of them on the stack.
  static let memberLimit = 16

  /// Never 0, so that no group's ID is ``GroupID/none``.
  var generation: UInt32
  /// The members that glibc still holds, linked by `nextInGroup`.
  var first: RequestRef?
}

/// The groups of a queue, found by ID.
///
/// Operations of a queue that has ended may still send its signal, after another queue has taken
/// the signal number. Their IDs name no group of that queue, because each queue of a process starts
/// its generations at a distant number. An ID can only match after several hundred million uses of
/// an index, and the queue then merely checks operations that still run.
@safe
struct GroupTable {
  /// 2³² divided by the golden ratio. Its multiples are spread as evenly as possible.
  private static let generationStride: UInt32 = 0x9E37_79B1

  private let firstGeneration: UInt32

  /// - Parameter number: See ``CompletionQueue/number``.
  init(ofQueue number: UInt32) {
    // Generation 0 would make the ID of no group.
    firstGeneration = max(1, number &* Self.generationStride)
  }

  private var groups: [Group] = []
  private var freeIndices: [Int] = []

  /// Makes a group of requests that are about to be submitted.
  mutating func open(_ members: [RequestRef]) -> GroupID {
    let index: Int
    if let free = freeIndices.popLast() {
      index = free
    } else {
      index = groups.count
      groups.append(Group(generation: firstGeneration))
    }
    let id = GroupID(index: index, generation: groups[index].generation)
    var following: RequestRef?
    for member in members.reversed() {
      member.pointee.groupID = id
      member.pointee.nextInGroup = following
      following = member
    }
    groups[index].first = following
    return id
  }

  /// Removes a member. The group ends with its last one.
  mutating func leave(_ request: RequestRef) {
    let index = request.pointee.groupID.index
    request.pointee.groupID = .none
    let following = request.pointee.nextInGroup
    request.pointee.nextInGroup = nil
    if let first = groups[index].first, first == request {
      groups[index].first = following
    } else {
      // At most memberLimit steps.
      var member = groups[index].first
      while let current = member {
        if let next = current.pointee.nextInGroup, next == request {
          current.pointee.nextInGroup = following
          break
        }
        member = current.pointee.nextInGroup
      }
    }
    guard groups[index].first == nil else { return }
    let generation = groups[index].generation
    groups[index].generation = generation == .max ? 1 : generation + 1
    freeIndices.append(index)
  }

  /// The first member that is still in flight; nil for the ID of a group that has ended.
  func first(of id: GroupID) -> RequestRef? {
    let index = id.index
    guard index < groups.count, groups[index].generation == id.generation else { return nil }
    return groups[index].first
  }
}
