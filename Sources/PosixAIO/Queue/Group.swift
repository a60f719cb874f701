/// Names one hand-over to glibc: what its signal carries as value.
///
/// A place in the table and the number of times that the place was used. A signal that comes late,
/// after a look at everything in flight has already found its group, names a use that is over and
/// is ignored. So is any value that another process made up.
struct GroupTicket: Equatable {
  let rawValue: UInt64

  /// No group. A signal without a ticket carries it.
  static let none = GroupTicket(rawValue: 0)

  init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  init(index: Int, use: UInt32) {
    rawValue = UInt64(use) << 32 | UInt64(UInt32(index))
  }

  var index: Int { Int(UInt32(truncatingIfNeeded: rawValue)) }
  var use: UInt32 { UInt32(rawValue >> 32) }
}

/// Operations that were handed over together and share one signal.
@safe
struct Group {
  /// The most operations in one hand-over. One signal for 16 operations is a small part of their
  /// cost, and glibc keeps its array of them on the stack.
  static let memberLimit = 16

  /// Counts the uses of this place, from 1, so that no ticket is ``GroupTicket/none``.
  var use: UInt32 = 1
  /// Members that glibc still owns.
  var outstandingCount = 0
  var members = InlineArray<16, RequestRef?>(repeating: nil)
  var memberCount = 0
}

/// The groups of a queue, found by ticket.
@safe
struct GroupTable {
  private var groups: [Group] = []
  private var freeIndices: [Int] = []

  /// Makes a group of requests that are about to be handed over.
  mutating func open(_ members: [RequestRef]) -> GroupTicket {
    let index: Int
    if let free = freeIndices.popLast() {
      index = free
    } else {
      index = groups.count
      groups.append(Group())
    }
    for position in members.indices {
      groups[index].members[position] = members[position]
    }
    groups[index].memberCount = members.count
    groups[index].outstandingCount = members.count
    return GroupTicket(index: index, use: groups[index].use)
  }

  /// Takes one member out. The group ends with its last one.
  mutating func leave(_ ticket: GroupTicket) {
    let index = ticket.index
    groups[index].outstandingCount -= 1
    guard groups[index].outstandingCount == 0 else { return }
    groups[index].use = groups[index].use == .max ? 1 : groups[index].use + 1
    groups[index].memberCount = 0
    freeIndices.append(index)
  }

  /// The members of a group that are still in flight, in order; none for a ticket that is over.
  func forEachMember(of ticket: GroupTicket, _ body: (RequestRef) -> Void) {
    let index = ticket.index
    guard index < groups.count, groups[index].use == ticket.use else { return }
    // A copy, since the body takes members out.
    let group = groups[index]
    for position in 0..<group.memberCount {
      guard let member = group.members[position],
        member.pointee.state == .inFlight, member.pointee.ticket == ticket
      else { continue }
      body(member)
    }
  }
}
