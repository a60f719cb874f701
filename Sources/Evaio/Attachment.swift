package import CEvaio
internal import Glibc
internal import PosixAIO
internal import Reactor
internal import SystemPackage

/// The file IO of one event base: C's `struct evaio_base`.
///
/// It lives until its loop has ended: callbacks that the end makes may use the handle. Nothing that
/// the loop keeps may refer to it; handlers refer to ``works`` instead.
final class Attachment {
  let loop: EventLoop
  let works = Works()
  private var isFreed = false

  init(_ loop: EventLoop) {
    self.loop = loop
  }
}

/// The operations in several steps that are in progress, by the number that C knows them by.
final class Works {
  /// Distinguishes them from the numbers of requests, whose first bit is never set.
  private static let firstNumber: evaio_id = 1 << 63

  /// Cancels an operation, and returns whether that was possible.
  typealias Cancel = () -> Bool

  private var works: [evaio_id: Cancel] = [:]
  private var nextNumber = firstNumber

  /// Starts an operation, and knows it until its completion handler is called.
  ///
  /// - Parameter start: Gets what the handler must call first.
  func add(_ start: (_ whenDone: @escaping () -> Void) -> Cancel) -> evaio_id {
    let number = nextNumber
    nextNumber += 1
    var isDone = false
    let cancel = start { [self] in
      isDone = true
      works[number] = nil
    }
    // After the loop's end, handlers are called at once.
    guard !isDone else { return 0 }
    works[number] = cancel
    return number
  }

  /// - Returns: Whether the operation could still be stopped.
  func cancel(_ number: evaio_id) -> Bool {
    guard let cancel = works[number] else { return false }
    return cancel()
  }
}

extension FileWork {
  var canceling: Works.Cancel {
    {
      guard self.canBeCanceled else { return false }
      self.cancel()
      return true
    }
  }
}

extension Attachment {
  /// Notes the end, which C asks for once. Traps for the second time, and on another thread.
  func beginEnd(_ call: StaticString) {
    if loop.core.isOfThisProcess { loop.core.checkThread() }
    require(!isFreed, "\(call): the evaio base is already being freed")
    isFreed = true
  }

  /// - Throws: `ENOENT` if the request has its result, `EBUSY` if it runs and is not abandoned.
  func cancel(_ id: evaio_id, abandoning: Bool) throws(Errno) {
    if works.cancel(id) { return }
    let queue = loop.queue
    switch queue.cancel(RequestID(rawValue: id, of: queue), abandoning: abandoning) {
    case .canceled, .abandoned: return
    case .notCanceled: throw .resourceBusy
    case .allDone: throw .noSuchFileOrDirectory
    }
  }
}

@c @implementation
package func evaio_base_new(_ base: OpaquePointer?, _ options: UnsafePointer<evaio_options>?)
  -> OpaquePointer?
{
  guard let base = unsafe base else { trap("evaio_base_new: the base is NULL") }
  do throws(Errno) {
    let configuration = try unsafe configuration(of: options)
    // The header has the base outlive the evaio.
    let loop = try unsafe EventLoop(borrowing: base, configuration: configuration)
    return unsafe makeHandle(Attachment(loop))
  } catch {
    errno = error.rawValue
    return nil
  }
}

@c @implementation
package func evaio_base_free(_ aio: OpaquePointer?) {
  let attachment = unsafe attachment(aio, "evaio_base_free")
  attachment.beginEnd("evaio_base_free")
  attachment.loop.core.cancelAfterCallbacks {
    _ = unsafe takeObject(aio, as: Attachment.self, "evaio_base_free")
  }
}

@c @implementation
package func evaio_base_finish(_ aio: OpaquePointer?) {
  let attachment = unsafe attachment(aio, "evaio_base_finish")
  attachment.beginEnd("evaio_base_finish")
  attachment.loop.close()
  _ = unsafe takeObject(aio, as: Attachment.self, "evaio_base_finish")
}

@c @implementation
package func evaio_base_get_event_base(_ aio: OpaquePointer?) -> OpaquePointer? {
  let core = unsafe attachment(aio, "evaio_base_get_event_base").loop.core
  core.checkAccess()
  return unsafe core.base
}

@c @implementation
package func evaio_base_move_to_current_thread(_ aio: OpaquePointer?) {
  unsafe attachment(aio, "evaio_base_move_to_current_thread").loop.moveToCurrentThread()
}

@c @implementation
package func evaio_base_leave_current_thread(_ aio: OpaquePointer?) {
  unsafe attachment(aio, "evaio_base_leave_current_thread").loop.leaveCurrentThread()
}

@c @implementation
package func evaio_cancel(_ aio: OpaquePointer?, _ id: evaio_id) -> Int32 {
  let attachment = unsafe attachment(aio, "evaio_cancel")
  return status { () throws(Errno) in try attachment.cancel(id, abandoning: true) }
}

@c @implementation
package func evaio_cancel_waiting(_ aio: OpaquePointer?, _ id: evaio_id) -> Int32 {
  let attachment = unsafe attachment(aio, "evaio_cancel_waiting")
  return status { () throws(Errno) in try attachment.cancel(id, abandoning: false) }
}

/// 0, or -1 with `errno`, as C expects.
private func status(_ call: () throws(Errno) -> Void) -> Int32 {
  do throws(Errno) {
    try call()
    return 0
  } catch {
    errno = error.rawValue
    return -1
  }
}

/// The object of a handle that C must pass.
@unsafe
func attachment(_ aio: OpaquePointer?, _ call: StaticString) -> Attachment {
  unsafe object(aio, as: Attachment.self, call)
}
