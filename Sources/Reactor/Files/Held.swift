/// Something that cannot be copied, on a heap of its own: for a closure that gives it away, since a
/// closure cannot give away what it captures.
@safe
package final class Held<Value: ~Copyable> {
  private var value: Value?

  package init(_ value: consuming Value) {
    self.value = consume value
  }

  /// Gives it away; nil the second time.
  package func take() -> Value? { value.take() }
}
