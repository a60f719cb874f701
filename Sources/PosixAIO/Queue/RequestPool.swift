/// Slots for requests. Slots are made in slabs, used again, and keep their address.
@safe
final class RequestPool {
  /// Slots made at once.
  private static let slabCount = 64

  private var slabs: [UnsafeMutableBufferPointer<Request>] = unsafe []
  private var free = RequestList()

  /// Only an idle queue goes away, so no slot is in use here.
  deinit {
    while let slab = unsafe slabs.popLast() {
      unsafe slab.deinitialize()
      unsafe slab.deallocate()
    }
  }

  func take() -> RequestRef {
    if free.isEmpty { addSlab() }
    guard let request = free.popFirst() else {
      preconditionFailure("RequestPool: a new slab has slots")
    }
    return request
  }

  func put(_ request: RequestRef) {
    request.pointee = Request()
    // Last used, first taken: its memory is still in the processor's cache.
    free.prepend(request)
  }

  private func addSlab() {
    let slab = UnsafeMutableBufferPointer<Request>.allocate(capacity: Self.slabCount)
    unsafe slab.initialize(repeating: Request())
    unsafe slabs.append(slab)
    for index in slab.indices {
      free.append(unsafe RequestRef(slab.slot(index)))
    }
  }
}

extension UnsafeMutableBufferPointer {
  /// The address of an element.
  fileprivate func slot(_ index: Int) -> UnsafeMutablePointer<Element> {
    guard let baseAddress else { preconditionFailure("RequestPool: a slab has memory") }
    return unsafe baseAddress + index
  }
}
