/// Objects that have events of their own in a loop's base, and take them out when the loop ends.
package final class BaseUsers {
  private var ends: [ObjectIdentifier: () -> Void] = [:]

  /// Has `end` called when the loop ends, unless the object goes before: see ``remove(_:)``.
  package func add(_ object: AnyObject, _ end: @escaping () -> Void) {
    ends[ObjectIdentifier(object)] = end
  }

  package func remove(_ object: AnyObject) {
    ends[ObjectIdentifier(object)] = nil
  }

  func end() {
    let due = ends
    ends = [:]
    for end in due.values { end() }
  }
}
