/// Objects that have something to end when their loop does, as an HTTP server.
package final class BaseUsers {
  private var ends: [ObjectIdentifier: () -> Void] = [:]
  private var haveEnded = false

  /// Has `end` called when the loop ends, unless the object goes before: see ``remove(_:)``. Calls
  /// it at once when the loop is ending already.
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
