/// Memory for state that one thread uses, at a fixed address.
///
/// What a class stores itself is checked at run time for overlapping access; for state that every
/// request passes through, that takes a tenth of a cached read. What is kept here is not checked:
/// its owner sees to it that it is used on one thread, and never borrowed while a handler runs.
@safe
package final class Confined<Value> {
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
