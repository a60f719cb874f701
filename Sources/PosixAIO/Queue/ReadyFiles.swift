/// Files that take turns, each at most once among them.
struct ReadyFiles {
  private var files: [AIOFile] = []
  private var head = 0

  var isEmpty: Bool { head == files.count }

  var first: AIOFile? { isEmpty ? nil : files[head] }

  mutating func append(_ file: AIOFile) {
    files.append(file)
  }

  mutating func popFirst() -> AIOFile? {
    guard head < files.count else { return nil }
    let file = files[head]
    head += 1
    // Now and then, and at a cost that the elements before have paid for.
    if head == files.count {
      files.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 64, head * 2 >= files.count {
      files.removeFirst(head)
      head = 0
    }
    return file
  }
}
