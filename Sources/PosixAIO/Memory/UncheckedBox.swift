/// Memory for state that one thread uses, at a fixed address.
///
/// At run time, Swift checks the stored properties of a class for overlapping access. For state
/// that every request passes through, that takes a tenth of the time of a cached read. A box is not
/// checked: its owner must use it on one thread, and must not hold an access while a handler runs.
@safe
package final class UncheckedBox<Value> {
  package let address: UnsafeMutablePointer<Value>

  package init(_ value: Value) {
    unsafe address = .allocate(capacity: 1)
    unsafe address.initialize(to: value)
  }

  deinit {
    unsafe address.deinitialize(count: 1)
    unsafe address.deallocate()
  }
}
