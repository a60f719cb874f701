import SystemPackage

@testable import PosixAIO

/// libc with a fault: refuses the submissions for which `refusal` gives an error, as glibc does
/// when memory or threads run out.
final class RefusingSystem: AIOSystem, @unchecked Sendable {
  var refusal: (_ submission: Int) -> Errno?
  private var submissionCount = 0

  init(_ refusal: @escaping (_ submission: Int) -> Errno?) {
    self.refusal = refusal
  }

  override func submitGroup(
    _ controls: [Control?], signal: Int32, value groupID: UInt64
  ) throws(Errno) {
    submissionCount += 1
    if let error = refusal(submissionCount) { throw error }
    try unsafe super.submitGroup(controls, signal: signal, value: groupID)
  }
}

/// libc whose completions send no signal at all.
final class SilentSystem: AIOSystem, @unchecked Sendable {
  override func submitGroup(
    _ controls: [Control?], signal: Int32, value groupID: UInt64
  ) throws(Errno) {
    // Signal 0 is sent to nobody.
    try unsafe super.submitGroup(controls, signal: 0, value: groupID)
  }
}
