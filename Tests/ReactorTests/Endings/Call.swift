import Reactor
import TestSupport

/// One public asynchronous call, in one of its styles.
struct Call {
  enum Style: String {
    case callback, awaited
  }

  /// How it comes to its own result.
  enum End {
    case byItself
    /// Only when the site lets it: see ``Site/letCallEnd()``.
    case whenLet
    case never
  }

  /// What `close()` does to it.
  enum AtClose {
    /// It runs to its own result.
    case runs
    /// It is cut at once: sockets, lock waits, and tasks that wait for something else.
    case isCut
  }

  /// The limit over which it is refused with `EAGAIN`.
  enum Room {
    /// None, or only in its later steps.
    case other
    /// Those of the completion queue.
    case queue
    /// The same, and it has a buffer.
    case bytes
    /// That of offloaded work.
    case helpers
  }

  struct Traits {
    var end = End.byItself
    var atClose = AtClose.runs
    var room = Room.other
    /// Whether its task has to name the loop, so that nobody can drop the last reference while it
    /// waits.
    var awaitedKeepsLoop = false
    /// Whether a loop that is cancelled may drop it, since it has no result.
    var mayBeDropped = false
    /// Whether C's dispatch of a borrowed base goes on until it has ended.
    var keepsBase = true
    /// Whether the end of the loop is a value for it, and no error.
    var endsByValue = false
    /// Whether an ended loop has no result for it but `ECANCELED`.
    var isRefusedAfterEnd = false
  }

  /// Looks at the disk afterwards.
  typealias Check = (TemporaryDirectory, Outcome) throws -> String?

  typealias Start = (EventLoop, Reply) throws -> Void

  let name: String
  let style: Style
  let traits: Traits
  /// Makes ready what it needs on the site's loop, and gives what starts it.
  let prepare: (Site) throws -> Start
  let check: Check

  var keepsLoop: Bool { traits.awaitedKeepsLoop && style == .awaited }
}

/// The calls of the matrix.
struct CallTable {
  private(set) var calls: [Call] = []

  static func all() -> [Call] {
    var table = CallTable()
    table.addFiles()
    table.addMetadata()
    table.addLocks()
    table.addNames()
    table.addContents()
    table.addDirectories()
    table.addDirectoryNames()
    table.addTemporaryFiles()
    table.addReaders()
    table.addWriters()
    table.addPumps()
    table.addConnects()
    table.addConnections()
    table.addLoopCalls()
    table.addQueue()
    return table.calls
  }

  /// Adds a call in the styles that it has.
  ///
  /// - Parameters:
  ///   - subject: Makes what the call is one of, which the site keeps until the ending drops it.
  ///   - callback: Starts the callback form. Its handler captures the reply and nothing else.
  ///   - awaited: The awaited form, called by a task that captures the subject and nothing else.
  mutating func add<Subject>(
    _ name: String, _ traits: Call.Traits, on subject: @escaping (Site) throws -> Subject,
    _ callback: ((Subject, Reply) throws -> Void)? = nil,
    awaited: (nonisolated(nonsending) (Subject) async throws -> Void)? = nil,
    check: @escaping Call.Check = { _, _ in nil }
  ) {
    if let callback {
      let prepare: (Site) throws -> Call.Start = { site in
        let subject = try subject(site)
        return { _, reply in try callback(subject, reply) }
      }
      calls.append(
        Call(name: name, style: .callback, traits: traits, prepare: prepare, check: check))
    }
    if let awaited {
      let prepare: (Site) throws -> Call.Start = { site in
        let subject = try subject(site)
        return { loop, reply in
          loop.startTask {
            do {
              try await awaited(subject)
              reply.ended()
            } catch {
              reply.note(.failure(error))
            }
          }
        }
      }
      calls.append(
        Call(name: name, style: .awaited, traits: traits, prepare: prepare, check: check))
    }
  }
}

extension Call.Traits {
  /// A request of the completion queue.
  static let request = Self(room: .queue, isRefusedAfterEnd: true)
  /// The same, with a buffer.
  static let transfer = Self(room: .bytes, isRefusedAfterEnd: true)
  /// A call on a helper thread, of an open file.
  static let fileCall = Self(room: .helpers, isRefusedAfterEnd: true)
  /// A call on a helper thread that begins with an open directory.
  static let directoryCall = Self(room: .helpers)
  /// A call on a helper thread that begins with the loop.
  static let anywhereCall = Self(room: .helpers, awaitedKeepsLoop: true)
  /// Several steps.
  static let steps = Self()
  /// What waits for a peer that has already done its part.
  static let socket = Self(atClose: .isCut)
  /// The same, and it can be refused.
  static let write = Self(atClose: .isCut, isRefusedAfterEnd: true)
  /// What waits for a peer that does nothing.
  static let waitingSocket = Self(end: .never, atClose: .isCut)
}
