/// The requests with a deadline, as a binary heap with the earliest at the top. Each request knows
/// its index, so that it can be removed as soon as it ends.
@safe
struct DeadlineHeap {
  private var requests: [RequestRef] = []

  var earliest: RequestRef? { requests.first }

  mutating func insert(_ request: RequestRef) {
    requests.append(request)
    request.pointee.deadlineIndex = Int32(requests.count - 1)
    siftUp(requests.count - 1)
  }

  /// Does nothing for a request without a deadline.
  mutating func remove(_ request: RequestRef) {
    let index = Int(request.pointee.deadlineIndex)
    guard index >= 0 else { return }
    request.pointee.deadlineIndex = -1
    let last = requests.removeLast()
    guard index < requests.count else { return }
    place(last, at: index)
    siftUp(index)
    siftDown(Int(last.pointee.deadlineIndex))
  }

  private mutating func place(_ request: RequestRef, at index: Int) {
    requests[index] = request
    request.pointee.deadlineIndex = Int32(index)
  }

  private mutating func siftUp(_ start: Int) {
    var index = start
    let request = requests[index]
    while index > 0 {
      let parent = (index - 1) / 2
      guard request.pointee.deadline < requests[parent].pointee.deadline else { break }
      place(requests[parent], at: index)
      index = parent
    }
    place(request, at: index)
  }

  private mutating func siftDown(_ start: Int) {
    var index = start
    let request = requests[index]
    while true {
      var child = 2 * index + 1
      guard child < requests.count else { break }
      let sibling = child + 1
      if sibling < requests.count,
        requests[sibling].pointee.deadline < requests[child].pointee.deadline
      {
        child = sibling
      }
      guard requests[child].pointee.deadline < request.pointee.deadline else { break }
      place(requests[child], at: index)
      index = child
    }
    place(request, at: index)
  }
}
