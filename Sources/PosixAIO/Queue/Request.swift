internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// One accepted request, at a fixed address from acceptance to delivery.
///
/// A request is a slot in the queue's ``RequestPool``. It stands in exactly one list at a time, by
/// its own links, and ``State`` says in which; `RequestTransitions.swift` has every change of that.
@safe
struct Request {
  enum Kind: UInt8 {
    case read, write, sync, dataSync
    /// Nobody's request: an empty read behind a sync, whose group signals the sync's end, since
    /// `lio_listio(3)` cannot carry a sync.
    case doorbell
    /// Waits for the end of every other request of its file.
    case detach

    var isTransfer: Bool { self == .read || self == .write }
    var isSync: Bool { self == .sync || self == .dataSync }
  }

  enum State: UInt8 {
    /// In the pool.
    case free
    /// In no list, for the time of a change.
    case taken
    /// With its file's order: a sync behind writes, a detach behind everything.
    case parked
    /// Accepted, with its file, not handed to glibc yet.
    case waiting
    /// glibc owns the control block and the memory.
    case inFlight
    /// Part of another request that is waiting or in flight: see `companion`.
    case joined
    /// Done; the handler has not been called yet.
    case finished
    /// In flight when its queue retired: the ``Orphanage`` has it.
    case orphaned
  }

  enum Handler {
    case transfer(CompletionQueue.TransferHandler)
    case sync(CompletionQueue.SyncHandler)
    case detach((ClosingDescriptors) -> Void)
  }

  /// glibc's control block. The first property, so that its address is the slot's.
  var control = unsafe aiocb()

  /// The list in which the request stands.
  var next: RequestRef?
  var previous: RequestRef?

  /// The next request that this one carries along: writes merged into it, or syncs that it serves.
  var companion: RequestRef?

  /// The next member of the same hand-over.
  var nextInGroup: RequestRef?
  /// The operation behind this one on its lane.
  var nextOnLane: RequestRef?
  /// The hand-over; meaningful in flight.
  var ticket = GroupTicket.none

  var file: AIOFile?
  var handler: Handler?

  /// The buffer's memory, which is the request's until the handler gets it back.
  var memory: UnsafeMutableRawBufferPointer?
  /// The memory of all companions together, when writes were merged.
  var mergedMemory: UnsafeMutableRawPointer?

  var offset: Int64 = 0
  /// The buffer's valid bytes.
  var validCount = 0
  /// Bytes asked for, and bytes moved so far, each of this request alone.
  var byteCount = 0
  var doneCount = 0
  /// Which of its file's barriers it belongs to.
  var epoch: UInt64 = 0

  /// In nanoseconds of the queue's clock.
  var acceptedAt: UInt64 = 0
  var handedOverAt: UInt64 = 0
  var deadline: UInt64 = .max
  /// Its place among the deadlines, or -1.
  var deadlineIndex: Int32 = -1

  /// `byteCount` and `doneCount` of all companions together, at most ``MergeMemory/byteCount``.
  var mergedByteCount: Int32 = 0
  var mergedDoneCount: Int32 = 0

  /// An error number of 0 means success.
  var errorNumber: Int32 = 0
  /// What a cancellation in glibc is reported as: `ECANCELED` or `ETIMEDOUT`.
  var cancelNumber: Int32 = ECANCELED

  /// The slot's own number, and how often it was used; together they name a request.
  var index: UInt32 = 0
  var use: UInt32 = 0

  /// Which of its file's descriptors it was handed over on.
  var lane: Int16 = 0
  var kind = Kind.read
  /// See `RequestTransitions.swift`.
  var progress = RequestProgress.inPool
}

/// Refers to a request in its slot.
///
/// Safe to use while its queue lives: slots are neither moved nor freed before that, and what they
/// hold is only touched on the queue's thread. The one exception is the control block, which glibc
/// writes to while the request is in flight.
@safe
struct RequestRef {
  private let slot: UnsafeMutablePointer<Request>

  init(_ slot: UnsafeMutablePointer<Request>) {
    unsafe self.slot = slot
  }

  var pointee: Request {
    // Addressors, because the frames of coroutines are allocated where they are not inlined.
    unsafeAddress { unsafe UnsafePointer(slot) }
    nonmutating unsafeMutableAddress { unsafe slot }
  }

  /// The control block's address, which stays the same as long as the queue lives.
  var control: AIOSystem.Control {
    // It is the first stored property, so it stands at the start of the slot.
    unsafe UnsafeMutableRawPointer(slot).assumingMemoryBound(to: aiocb.self)
  }

  static func == (left: RequestRef, right: RequestRef) -> Bool {
    unsafe left.slot == right.slot
  }
}
