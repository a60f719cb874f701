import SystemPackage

@testable import PosixAIO

/// libc with a fault: refuses the hand-overs for which `refusal` gives an error, as glibc does when
/// memory or threads run out.
final class RefusingSystem: AIOSystem, @unchecked Sendable {
  var refusal: (_ handOver: Int) -> Errno?
  private var handOverCount = 0

  init(_ refusal: @escaping (_ handOver: Int) -> Errno?) {
    self.refusal = refusal
  }

  override func submitGroup(
    _ controls: [Control?], signal: Int32, ticket: UInt64
  ) throws(Errno) {
    handOverCount += 1
    if let error = refusal(handOverCount) { throw error }
    try unsafe super.submitGroup(controls, signal: signal, ticket: ticket)
  }
}

/// libc whose completions send no signal at all.
final class SilentSystem: AIOSystem, @unchecked Sendable {
  override func submitGroup(
    _ controls: [Control?], signal: Int32, ticket: UInt64
  ) throws(Errno) {
    // Signal 0 is sent to nobody.
    try unsafe super.submitGroup(controls, signal: 0, ticket: ticket)
  }
}
