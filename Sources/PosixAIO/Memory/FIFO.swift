/// A first-in, first-out queue with amortized constant-time operations.
///
/// Inlinable, because other modules would otherwise look up the layout of its elements at run time.
@usableFromInline
package struct FIFO<Element> {
  /// The least number of removed elements before the array is trimmed.
  @inlinable static var trimCount: Int { 64 }

  @usableFromInline var elements: [Element?] = []
  @usableFromInline var head = 0

  @inlinable
  package init() {}

  @inlinable package var isEmpty: Bool { head == elements.count }

  @inlinable package var count: Int { elements.count - head }

  @inlinable package var first: Element? { isEmpty ? nil : elements[head] }

  @inlinable
  package mutating func append(_ element: Element) {
    elements.append(element)
  }

  @inlinable
  package mutating func popFirst() -> Element? {
    guard head < elements.count else { return nil }
    if elements.count == 1 { return elements.removeLast() }
    let element = elements[head].take()
    head += 1
    // Rarely, and at a cost that the elements removed before have paid for.
    if head == elements.count {
      elements.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= Self.trimCount, head * 2 >= elements.count {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }
}
