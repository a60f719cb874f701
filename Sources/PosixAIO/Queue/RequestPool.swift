internal import Glibc

/// Slots for requests. Slots are made in slabs, used again, and keep their address.
@safe
final class RequestPool {
  /// Slots made at once.
  private static let slabCount = 64

  private var slabs: [UnsafeMutableBufferPointer<Request>] = unsafe []
  private let confinedFree = Confined(RequestList())

  private var free: RequestList {
    unsafeAddress { unsafe UnsafePointer(confinedFree.address) }
    unsafeMutableAddress { unsafe confinedFree.address }
  }

  /// Only an idle queue goes away, and an orphan without operations, so no slot is in use here.
  deinit {
    while let slab = unsafe slabs.popLast() {
      unsafe slab.deinitialize()
      unsafe slab.deallocate()
    }
  }

  /// The slot with a number, in use or not; nil for a number that was never given out.
  func slot(_ index: UInt32) -> RequestRef? {
    let (slab, place) = Int(index).quotientAndRemainder(dividingBy: Self.slabCount)
    guard slab < (unsafe slabs.count) else { return nil }
    return unsafe RequestRef(slabs[slab].slot(place))
  }

  /// How many slots there are, in use or not.
  var slotCount: UInt32 { unsafe UInt32(slabs.count * Self.slabCount) }

  func take() -> RequestRef {
    if free.isEmpty { addSlab() }
    guard let request = free.popFirst() else {
      trap("RequestPool: a new slab has slots")
    }
    return request
  }

  /// Takes a slot back whose handler, file and memory have been moved out.
  func put(_ request: RequestRef) {
    request.pointee.use &+= 1
    request.pointee.doneCount = 0
    request.pointee.errorNumber = 0
    request.pointee.cancelNumber = ECANCELED
    request.pointee.deadline = .max
    // Last used, first taken: its memory is still in the processor's cache.
    free.prepend(request)
  }

  private func addSlab() {
    let slab = UnsafeMutableBufferPointer<Request>.allocate(capacity: Self.slabCount)
    unsafe slab.initialize(repeating: Request())
    let first = unsafe slabs.count * Self.slabCount
    unsafe slabs.append(slab)
    for place in slab.indices {
      let request = unsafe RequestRef(slab.slot(place))
      request.pointee.index = UInt32(first + place)
      free.append(request)
    }
  }
}

extension UnsafeMutableBufferPointer {
  /// The address of an element.
  fileprivate func slot(_ index: Int) -> UnsafeMutablePointer<Element> {
    guard let baseAddress else { trap("RequestPool: a slab has memory") }
    return unsafe baseAddress + index
  }
}
