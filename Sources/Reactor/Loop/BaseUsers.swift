/// Objects that must clean up when their loop ends, such as an HTTP server.
package final class BaseUsers {
  private var ends: [ObjectIdentifier: () -> Void] = [:]
  private var haveEnded = false

  /// Calls `end` when the loop ends. ``remove(_:)`` takes the object out again. If the loop is
  /// already ending, `end` is called at once.
  package func add(_ object: AnyObject, _ end: @escaping () -> Void) {
    if haveEnded { return end() }
    ends[ObjectIdentifier(object)] = end
  }

  package func remove(_ object: AnyObject) {
    ends[ObjectIdentifier(object)] = nil
  }

  func end() {
    haveEnded = true
    let due = ends
    ends = [:]
    for end in due.values { end() }
  }
}
