import PosixAIO
import Reactor
import TestSupport
import Testing

@testable import ReactorHTTP

/// The captures of a replaced action are released when it is replaced, and may use the same object
/// at that time.
@Suite struct ReplacedActionTests {
  @Test func whatAnEndActionHeldMaySetAnother() async {
    await #expect(processExitsWith: .success) {
      let served = try ServedLoop { _, writer in
        writer.onEnd(holding { [weak writer] in writer?.onEnd { _ in } })
        writer.onEnd { _ in }
        writer.send(.ok)
      }
      let client = try Client(to: served)
      #expect(try client.get("/").code == 200)
      try served.stop()
    }
  }

  @Test func whatALossActionHeldMaySetAnother() async {
    await #expect(processExitsWith: .success) {
      let served = try ServedLoop { _, writer in
        setLoss(writer, holding { [weak writer] in writer?.onConnectionLost {} })
        writer.onConnectionLost {}
        writer.send(.ok)
      }
      let client = try Client(to: served)
      #expect(try client.get("/").code == 200)
      try served.stop()
    }
  }

  @Test func whatAServersActionHeldMaySetAnother() async {
    await #expect(processExitsWith: .success) {
      let served = try ServedLoop { _, writer in writer.send(.ok) }
      try served.onLoop { server in
        server.value?.onResponseEnd = holding { server.value?.onResponseEnd = nil }
        server.value?.onResponseEnd = nil
      }
      try served.stop()
    }
  }
}

private func setLoss(
  _ writer: HTTPServer.ResponseWriter, _ action: @escaping (Int) -> Void
) {
  writer.onConnectionLost { action(0) }
}

/// A closure with the only reference to an object that acts in its `deinit`.
private func holding<Value>(_ action: @escaping () -> Void) -> (Value) -> Void {
  let last = Leaving(action)
  return { _ in withExtendedLifetime(last) {} }
}

/// Calls an action in its `deinit`.
private final class Leaving {
  private let action: () -> Void

  init(_ action: @escaping () -> Void) {
    self.action = action
  }

  deinit { action() }
}
