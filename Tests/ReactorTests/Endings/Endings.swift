import PosixAIO
import Reactor
import SystemPackage
import TestSupport

/// The endings of the matrix.
extension Ending {
  static var runToTheEnd: Ending {
    Ending(
      name: "run to the end", isFor: canEnd, promise: own,
      end: { site, recorder in
        site.letCallEnd()
        try site.run { recorder.count > 0 }
        try site.close()
      })
  }

  // MARK: close()

  static func close(after turnCount: Int) -> Ending {
    Ending(
      name: "close after \(turnCount) turns", promise: closing,
      end: { site, _ in
        try site.turns(turnCount)
        try site.closeAsItMay()
      })
  }

  static var stopThenClose: Ending {
    Ending(
      name: "stop, close", promise: closing,
      end: { site, _ in
        try site.liveLoop().stop()
        try site.closeAsItMay()
      })
  }

  // MARK: shutDown(within:)

  static func shutDownAtOnce(after turnCount: Int) -> Ending {
    Ending(
      name: "shut down at once after \(turnCount) turns", promise: canceling,
      end: { site, recorder in
        try site.turns(turnCount)
        try site.shutDown(within: .zero, recorder)
      })
  }

  static var shutDownInTime: Ending {
    Ending(
      name: "shut down in time", isFor: canEnd, promise: own,
      end: { site, recorder in
        site.letCallEnd()
        try site.shutDown(within: testDeadline, recorder, mustBeWhole: true)
      })
  }

  static var shutDownTooShort: Ending {
    Ending(
      name: "shut down too short", isFor: { !endsByItself($0) }, promise: canceling,
      end: { site, recorder in
        try site.shutDown(within: .milliseconds(5), recorder)
      })
  }

  // MARK: The last reference

  static func drop(after turnCount: Int, objectsFirst: Bool) -> Ending {
    Ending(
      name: "drop after \(turnCount) turns, objects \(objectsFirst ? "first" : "last")",
      isFor: canDrop, promise: canceling,
      end: { site, _ in
        try site.turns(turnCount)
        site.drop(objectsFirst: objectsFirst)
      })
  }

  static var stopThenDrop: Ending {
    Ending(
      name: "stop, drop", isFor: canDrop, promise: canceling,
      end: { site, _ in
        try site.liveLoop().stop()
        site.drop(objectsFirst: false)
      })
  }

  // MARK: After the end

  static var callAfterClose: Ending {
    Ending(
      name: "call after close", isFor: { $0.style == .callback && !$0.traits.endsByValue },
      promise: { $0.traits.isRefusedAfterEnd ? .canceled : .ownOrCanceled }, isOver: true,
      before: { try $0.close() }, end: { _, _ in })
  }
}

/// In a base that C code runs.
extension Ending {
  static var borrowedDispatch: Ending {
    Ending(
      name: "borrowed, dispatch", isBorrowed: true, isFor: endsInDispatch, promise: own,
      end: { site, _ in
        site.base?.dispatch()
        site.drop(objectsFirst: true)
      })
  }

  static func borrowedClose(after turnCount: Int) -> Ending {
    Ending(
      name: "borrowed, close after \(turnCount) turns", isBorrowed: true, promise: closing,
      end: { site, _ in
        try site.turns(turnCount)
        try site.closeAsItMay()
      })
  }

  static func borrowedDrop(after turnCount: Int) -> Ending {
    Ending(
      name: "borrowed, drop after \(turnCount) turns", isBorrowed: true, isFor: canDrop,
      promise: canceling,
      end: { site, _ in
        try site.turns(turnCount)
        site.drop(objectsFirst: turnCount > 0)
      })
  }

  /// The last reference goes in a callback of the loop, in the middle of a run of C's.
  static func borrowedDropInside(
    _ place: String, _ start: @escaping (Site) throws -> Void
  ) -> Ending {
    Ending(
      name: "borrowed, drop in \(place)", isBorrowed: true, isFor: canEndWhereHeld,
      promise: canceling,
      end: { site, _ in
        try start(site)
        site.base?.dispatch()
        site.dropObjects()
      })
  }

  static var borrowedDropInItsHandler: Ending {
    Ending(
      name: "borrowed, drop in its handler", isBorrowed: true, isFor: endsInDispatch, promise: own,
      end: { site, recorder in
        unsafe recorder.onFirst = { site.dropLoop() }
        site.base?.dispatch()
        site.dropObjects()
      })
  }

  static var dropsInside: [Ending] {
    [
      borrowedDropInside("a timer") { site in
        try site.liveLoop().schedule(after: .zero) { site.dropLoop() }
      },
      borrowedDropInside("the next turn") { site in
        _ = try site.liveLoop().nextTurn { site.dropLoop() }
      },
      borrowedDropInside("a completion of offloaded work") { site in
        try site.liveLoop().offload({}, { _ in site.dropLoop() })
      },
      borrowedDropInside("a handler of the queue") { site in
        let descriptor = try FileDescriptor.open(FilePath("/proc/self/exe"), .readOnly)
        let other = AIOFile(descriptor, queue: try site.liveLoop().queue)
        try other.read(into: IOBuffer(capacity: 1), at: 0) { _, _ in site.dropLoop() }
      },
      borrowedDropInside("a call of another thread") { site in
        nonisolated(unsafe) let site = site
        try unsafe site.liveLoop().remote.execute { _ in unsafe site.dropLoop() }
      },
      borrowedDropInside("a task") { site in
        try site.liveLoop().startTask { site.dropLoop() }
      },
    ]
  }

  private static func endsInDispatch(_ call: Call) -> Bool {
    endsByItself(call) && call.traits.keepsBase
  }

  /// A task that holds the loop keeps it until its call has ended, and the base with it.
  private static func canEndWhereHeld(_ call: Call) -> Bool { canDrop(call) || endsByItself(call) }
}

/// Limits that are used up.
extension Ending {
  /// Everything that the completion queue may keep waiting waits already.
  static var queueIsFull: Ending {
    Ending(
      name: "queue full",
      configure: { configuration in
        configuration.queue.blockingFileLimit = 1
        configuration.queue.waitingLimit = 1
      },
      isFor: { endsByItself($0) || [.queue, .bytes].contains($0.traits.room) },
      promise: { [.queue, .bytes].contains($0.traits.room) ? .refused : .ownOrRefused },
      before: { try $0.fillQueue(requestCount: 2) }, end: { try $0.endFilled($1) })
  }

  /// The buffers of unfinished requests hold as much as they may.
  static var bytesAreHeld: Ending {
    Ending(
      name: "bytes held",
      configure: { $0.queue.heldByteLimit = 1 },
      isFor: { endsByItself($0) || $0.traits.room == .bytes },
      promise: { $0.traits.room == .bytes ? .refused : .ownOrRefused },
      before: { try $0.fillQueue(requestCount: 1) }, end: { try $0.endFilled($1) })
  }

  /// As many calls for helper threads are not done as may be.
  static var helpersAreBusy: Ending {
    Ending(
      name: "helpers busy",
      configure: { $0.offloadLimit = 1 },
      isFor: { endsByItself($0) || $0.traits.room == .helpers },
      promise: { $0.traits.room == .helpers ? .refused : .ownOrRefused },
      before: { try $0.fillHelpers() }, end: { try $0.endFilled($1) })
  }
}
