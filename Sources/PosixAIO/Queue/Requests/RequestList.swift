/// A doubly linked list of requests, linked through the requests themselves: it allocates nothing,
/// and removes from the middle in constant time.
@safe
struct RequestList {
  private(set) var first: RequestRef?
  private var last: RequestRef?
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func append(_ request: RequestRef) {
    request.pointee.next = nil
    request.pointee.previous = last
    if let last = last {
      last.pointee.next = request
    } else {
      first = request
    }
    last = request
    count += 1
  }

  mutating func prepend(_ request: RequestRef) {
    request.pointee.previous = nil
    request.pointee.next = first
    if let first = first {
      first.pointee.previous = request
    } else {
      last = request
    }
    first = request
    count += 1
  }

  mutating func remove(_ request: RequestRef) {
    let next = request.pointee.next
    let previous = request.pointee.previous
    if let next = next {
      next.pointee.previous = previous
    } else {
      last = previous
    }
    if let previous = previous {
      previous.pointee.next = next
    } else {
      first = next
    }
    request.pointee.next = nil
    request.pointee.previous = nil
    count -= 1
  }

  mutating func popFirst() -> RequestRef? {
    guard let request = first else { return nil }
    remove(request)
    return request
  }

  mutating func popLast() -> RequestRef? {
    guard let request = last else { return nil }
    remove(request)
    return request
  }
}
