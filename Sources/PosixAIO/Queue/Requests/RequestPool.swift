internal import Glibc

/// Slots for requests. Slots are allocated in slabs, are reused, and keep their address.
@safe
final class RequestPool {
  /// The number of slots in one slab.
  private static let slabCount = 64

  private var slabs: [UnsafeMutableBufferPointer<Request>] = unsafe []
  private let freeStorage = UncheckedBox(RequestList())

  private var free: RequestList {
    unsafeAddress { unsafe UnsafePointer(freeStorage.address) }
    unsafeMutableAddress { unsafe freeStorage.address }
  }

  /// A pool goes with its queue, when that is idle, or with an orphan that has no operations left.
  /// So no slot is in use here.
  deinit {
    while let slab = unsafe slabs.popLast() {
      unsafe slab.deinitialize()
      unsafe slab.deallocate()
    }
  }

  /// The slot with an index, in use or not; nil if there is none.
  func slot(_ index: UInt32) -> RequestRef? {
    let (slab, place) = Int(index).quotientAndRemainder(dividingBy: Self.slabCount)
    guard slab < (unsafe slabs.count) else { return nil }
    return unsafe RequestRef(slabs[slab].slot(place))
  }

  /// The number of slots, in use or not.
  var slotCount: UInt32 { unsafe UInt32(slabs.count * Self.slabCount) }

  func allocate() -> RequestRef {
    if free.isEmpty { addSlab() }
    guard let request = free.popFirst() else {
      trap("RequestPool: a new slab has free slots")
    }
    return request
  }

  /// Takes back a slot whose handler, file and memory have been moved out.
  func release(_ request: RequestRef) {
    request.pointee.generation &+= 1
    request.pointee.doneCount = 0
    request.pointee.errorNumber = 0
    request.pointee.cancelNumber = ECANCELED
    request.pointee.deadline = .max
    // To the front: the slot that was used last is still in the processor's cache.
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
