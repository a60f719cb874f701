import Dispatch
import Foundation
import PosixAIO

/// The descriptors that this process has open, and what each one is: a path, or its kind.
/// Descriptors that Dispatch and run loops open when first needed, and keep, do not count as leaks.
/// Those of operations that outlived their queue are closed first, if the operations have ended.
public func openDescriptors() throws -> [Int: String] {
  Orphanage.sweep()
  RuntimeDescriptors.areOpen
  return try allDescriptors().filter { !RuntimeDescriptors.isClockOfDispatch($0, $1) }
}

/// The numbers of all open descriptors, including those of Dispatch and run loops.
public func descriptorNumbers() throws -> Set<Int> { Set(try allDescriptors().keys) }

private func allDescriptors() throws -> [Int: String] {
  let manager = FileManager.default
  var found: [Int: String] = [:]
  for name in try manager.contentsOfDirectory(atPath: "/proc/self/fd") {
    // The directory lists the descriptor that reads it, too, which is closed by now.
    guard let number = Int(name) else { continue }
    found[number] = try? manager.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
  }
  return found
}

private enum RuntimeDescriptors {
  /// Opens the descriptors that come with the first run loop and the first timer.
  static let areOpen: Void = {
    _ = RunLoop.main
    let fired = DispatchSemaphore(value: 0)
    let timer = DispatchSource.makeTimerSource()
    timer.setEventHandler { fired.signal() }
    timer.schedule(deadline: .now())
    timer.resume()
    fired.wait()
  }()

  /// Dispatch has a timerfd for each clock that it was ever asked for. The package has none but for
  /// the monotonic one.
  static func isClockOfDispatch(_ number: Int, _ target: String) -> Bool {
    guard target == "anon_inode:[timerfd]",
      let text = try? String(contentsOfFile: "/proc/self/fdinfo/\(number)", encoding: .utf8)
    else { return false }
    return !text.contains("clockid: \(CLOCK_MONOTONIC)\n")
  }
}
