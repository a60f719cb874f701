import CLibevent
import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// Where a cell takes place: a directory, a loop, and all that the user of the loop holds.
final class Site {
  /// The old content of each file, and the new one.
  static let old = Pattern.block(1, byteCount: 3000)
  static let new = Pattern.block(2, byteCount: 3000)

  let folder: TemporaryDirectory
  let base: ForeignBase?
  /// The only reference to the loop that the cell has.
  private(set) var loop: EventLoop?
  private var objects: [Any] = []
  private var descriptors: [Int32] = []
  private var enders: [() -> Void] = []
  weak private(set) var weakLoop: EventLoop?
  let blockers = Blockers()
  /// Whether `close()` waits for the call until the test lets it end.
  let closeWaits: Bool

  init(
    borrowing isBorrowed: Bool, _ configuration: EventLoop.Configuration, closeWaits: Bool
  ) throws {
    self.closeWaits = closeWaits
    folder = try TemporaryDirectory(in: Site.parent)
    base = isBorrowed ? try ForeignBase() : nil
    if let base {
      loop = try unsafe EventLoop(borrowing: base.pointer, configuration: configuration)
      loop?.searchForDropsSoon()
    } else {
      loop = try EventLoop(configuration: configuration)
    }
    weakLoop = loop
  }

  deinit { letGo() }

  /// In memory where that can be had: what is tested is not the disk.
  private static let parent: FilePath = unsafe access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"

  func liveLoop() throws -> EventLoop {
    guard let loop else { throw Failure("the loop was dropped before") }
    return loop
  }

  func path(_ name: String) -> FilePath { folder.path.appending(name) }

  // MARK: What the user holds

  /// Holds something until the ending drops it.
  func keep<Object>(_ object: Object) -> Object {
    objects.append(object)
    return object
  }

  func dropObjects() {
    objects = []
  }

  func dropLoop() {
    // Taken out first: what is called in its end may look at this property.
    _ = loop.take()
  }

  // MARK: The other side

  /// Holds a descriptor of the other side until ``letGo()``.
  @discardableResult
  func hold(_ descriptor: Int32) throws -> Int32 {
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    descriptors.append(descriptor)
    return descriptor
  }

  /// Says how the call comes to its own result.
  func whenLet(_ body: @escaping () -> Void) {
    enders.append(body)
  }

  /// Lets a call come to its own result that would not by itself.
  func letCallEnd() {
    let due = enders
    enders = []
    for body in due { body() }
  }

  /// Ends the other side, so that the kernel lets go of what waits for it.
  func letGo() {
    enders = []
    for descriptor in descriptors { Glibc.close(descriptor) }
    descriptors = []
  }

  // MARK: Turns

  /// Runs that many turns, none of which waits.
  func turns(_ count: Int) throws {
    for _ in 0..<count {
      if let base {
        base.turn()
      } else {
        let loop = try liveLoop()
        loop.schedule(after: .zero) {}
        loop.runOnce()
      }
    }
  }

  /// Runs the loop until a condition holds.
  func run(until condition: @escaping () -> Bool) throws {
    guard try liveLoop().run(until: condition, timeout: testDeadline) else {
      throw Failure("the deadline passed")
    }
  }
}

/// An event base as a C program has one.
@safe
final class ForeignBase {
  let pointer: OpaquePointer

  init() throws {
    unsafe pointer = try XCTUnwrap(event_base_new())
  }

  deinit { unsafe event_base_free(pointer) }

  var addedCount: Int32 {
    unsafe event_base_get_num_events(pointer, UInt32(EVENT_BASE_COUNT_ADDED))
  }

  /// One look at everything, as C code does it.
  func turn() {
    unsafe event_base_loop(pointer, EVLOOP_ONCE | EVLOOP_NONBLOCK)
  }

  /// Runs as C code does, until nothing is added any more.
  func dispatch() {
    unsafe event_base_dispatch(pointer)
  }
}
