internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// One accepted request, at a fixed address from acceptance to delivery.
///
/// A request is a slot in the queue's ``RequestPool``. It stands in exactly one list at a time, by
/// its own links, and ``State`` says in which.
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
    /// With its file, which keeps a sync behind earlier writes and a detach behind everything.
    case parked
    /// Accepted, not handed to glibc yet.
    case waiting
    /// glibc owns the control block and the memory.
    case inFlight
    /// Done; the handler has not been called yet.
    case finished
  }

  enum Handler {
    case transfer(CompletionQueue.TransferHandler)
    case sync(CompletionQueue.SyncHandler)
    case detach((FileDescriptor) -> Void)
  }

  /// glibc's control block. The first property, so that its address is the slot's.
  var control = unsafe aiocb()
  var state = State.free
  var kind = Kind.read

  /// The list in which the request stands.
  var next: RequestRef?
  var previous: RequestRef?

  /// The group with which it was handed over; meaningful in flight.
  var ticket: GroupTicket = .none

  var file: AIOFile?
  var handler: Handler?

  /// The buffer's memory, which is the request's until the handler gets it back.
  var memory: UnsafeMutableRawBufferPointer?
  /// The buffer's valid bytes.
  var validCount = 0

  var offset: Int64 = 0
  /// Bytes asked for, and bytes that earlier hand-overs of this request have moved.
  var byteCount = 0
  var doneCount = 0

  /// Which of its file's barriers it belongs to.
  var epoch: UInt64 = 0

  /// An error number of 0 means success.
  var errorNumber: Int32 = 0
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
    _read { yield unsafe slot.pointee }
    nonmutating _modify { yield &(unsafe slot).pointee }
  }

  /// The control block's address, which stays the same as long as the queue lives.
  var control: AIOSystem.Control {
    // It is the first stored property, so it stands at the start of the slot.
    unsafe UnsafeMutableRawPointer(slot).assumingMemoryBound(to: aiocb.self)
  }

  var descriptor: Int32 {
    pointee.file?.rawDescriptor ?? -1
  }
}
