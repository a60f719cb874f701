internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// One accepted request, at a fixed address until its handler is called.
///
/// A request is a slot of the queue's ``RequestPool``. It is in at most one list at a time, linked
/// through the slot itself. ``State`` says in which one; `RequestTransitions.swift` has every
/// change of it.
@safe
struct Request {
  enum Kind: UInt8 {
    case read, write, sync, dataSync
    /// An empty read after a sync, whose group's signal says that the sync has ended, since
    /// `lio_listio(3)` cannot carry a sync. It has no handler.
    case syncMarker
    /// Waits for the end of every other request of its file; after the file's end, for nothing.
    case detach

    var isTransfer: Bool { self == .read || self == .write }
    var isSync: Bool { self == .sync || self == .dataSync }
  }

  enum State: UInt8 {
    /// In the pool.
    case free
    /// In no list, between two states.
    case unlisted
    /// Held by its file's order: a sync that waits for writes, or a detach that waits for
    /// everything.
    case parked
    /// In its file's list of requests to submit.
    case waiting
    /// glibc owns the control block and the memory.
    case inFlight
    /// Part of another request that waits or is in flight: see `companion`.
    case joined
    /// Ended; the handler has not been called yet.
    case finished
    /// Was in flight when its queue retired: the ``Orphanage`` owns it.
    case orphaned
  }

  enum Handler {
    case transfer(CompletionQueue.TransferHandler)
    case sync(CompletionQueue.SyncHandler)
    case detach((ClosingDescriptors) -> Void)
  }

  /// glibc's control block. It is the first property, so its address is the slot's.
  var control = unsafe aiocb()

  /// The links of the request's list.
  var next: RequestRef?
  var previous: RequestRef?

  /// The next request that this one carries along: a write merged into it, or a sync that it
  /// serves.
  var companion: RequestRef?

  /// The next member of the same group.
  var nextInGroup: RequestRef?
  /// The operation after this one on its lane.
  var nextOnLane: RequestRef?
  /// The group; meaningful only in flight.
  var groupID = GroupID.none

  var file: AIOFile?
  var handler: Handler?

  /// The buffer's memory, which the request owns until its handler gets the buffer back.
  var memory: IOBuffer.Memory?
  /// A copy of the bytes of all merged writes, in a leader only.
  var mergedMemory: UnsafeMutableRawPointer?

  var offset: Int64 = 0
  /// The bytes asked for and the bytes moved so far, of this request alone. All valid bytes of a
  /// write's buffer are asked for.
  var byteCount = 0
  var doneCount = 0
  /// The epoch of a write or sync in its file's ``SyncBarrier``.
  var epoch: UInt64 = 0

  /// In nanoseconds of the queue's clock.
  var enqueuedAt: UInt64 = 0
  var submittedAt: UInt64 = 0
  var deadline: UInt64 = .max
  /// Its index in the ``DeadlineHeap``, or -1.
  var deadlineIndex: Int32 = -1

  /// `byteCount` and `doneCount` of a merged write, at most ``MergeMemory/byteCount``.
  var mergedByteCount: Int32 = 0
  var mergedDoneCount: Int32 = 0

  /// The error of the outcome, 0 for success.
  var errorNumber: Int32 = 0
  /// The error to report if glibc says that the operation was cancelled: `ECANCELED` or
  /// `ETIMEDOUT`.
  var cancelNumber: Int32 = ECANCELED

  /// The slot's index, and how often it was used before; together they identify a request.
  var index: UInt32 = 0
  var generation: UInt32 = 0

  /// The index of the file's descriptor that the request was submitted on.
  var lane: Int16 = 0
  var kind = Kind.read
  /// See `RequestTransitions.swift`.
  var progress = RequestProgress.inPool
}

/// Refers to a request in its slot.
///
/// Safe to use while its queue lives: slots are neither moved nor freed before that, and are used
/// on the queue's thread only. The exception is the control block, to which glibc writes while the
/// request is in flight.
@safe
struct RequestRef {
  private let slot: UnsafeMutablePointer<Request>

  init(_ slot: UnsafeMutablePointer<Request>) {
    unsafe self.slot = slot
  }

  var pointee: Request {
    // Addressors, because a coroutine that is not inlined allocates its frame.
    unsafeAddress { unsafe UnsafePointer(slot) }
    nonmutating unsafeMutableAddress { unsafe slot }
  }

  /// The control block's address, which stays the same as long as the queue lives.
  var control: AIOSystem.Control {
    // It is the first stored property, so it starts where the slot starts.
    unsafe UnsafeMutableRawPointer(slot).assumingMemoryBound(to: aiocb.self)
  }

  static func == (left: RequestRef, right: RequestRef) -> Bool {
    unsafe left.slot == right.slot
  }
}
