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

  /// Counts the uses of this place; never 0, so that no ticket is ``GroupTicket/none``.
  var use: UInt32
  /// Members that glibc still owns, linked by `nextInGroup`.
  var first: RequestRef?
}

/// The groups of a queue, found by ticket.
///
/// A signal number may have been another queue's, whose operations still send it when they end.
/// Their tickets name no group of this queue: the tables of a process begin to count at numbers
/// that are far apart. Should one name a group all the same, after some hundred million uses of a
/// place, that only has the queue look at operations that still run.
@safe
struct GroupTable {
  /// 2³² divided by the golden ratio: its multiples are as far apart from each other as can be.
  private static let distance: UInt32 = 0x9E37_79B1

  /// The number from which the uses of a place are counted.
  private let firstUse: UInt32

  /// - Parameter number: See ``CompletionQueue/number``.
  init(ofQueue number: UInt32) {
    // 0 would make the ticket of no group.
    firstUse = max(1, number &* Self.distance)
  }

  private var groups: [Group] = []
  private var freeIndices: [Int] = []

  /// Makes a group of requests that are about to be handed over.
  mutating func open(_ members: [RequestRef]) -> GroupTicket {
    let index: Int
    if let free = freeIndices.popLast() {
      index = free
    } else {
      index = groups.count
      groups.append(Group(use: firstUse))
    }
    let ticket = GroupTicket(index: index, use: groups[index].use)
    var following: RequestRef?
    for member in members.reversed() {
      member.pointee.ticket = ticket
      member.pointee.nextInGroup = following
      following = member
    }
    groups[index].first = following
    return ticket
  }

  /// Takes one member out. The group ends with its last one.
  mutating func leave(_ request: RequestRef) {
    let index = request.pointee.ticket.index
    request.pointee.ticket = .none
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
    groups[index].use = groups[index].use == .max ? 1 : groups[index].use + 1
    freeIndices.append(index)
  }

  /// The first member that is still in flight, or nil for a ticket that is over.
  func first(of ticket: GroupTicket) -> RequestRef? {
    let index = ticket.index
    guard index < groups.count, groups[index].use == ticket.use else { return nil }
    return groups[index].first
  }
}
