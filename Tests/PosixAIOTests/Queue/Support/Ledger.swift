import PosixAIO
import SystemPackage
import XCTest

/// Hands out handlers, and keeps what each of them was called with.
final class Ledger {
  enum Entry: Equatable {
    case moved(Int)
    case done
    case failed(Errno, byteCountDone: Int = 0)
  }

  /// The calls of each handler, in the order in which the handlers were handed out.
  private(set) var entries: [[Entry]] = []
  /// The handlers' numbers in the order of their calls.
  private(set) var order: [Int] = []

  /// A handler for a read or write.
  ///
  /// - Parameter check: Sees the result and the buffer's valid bytes.
  func transfer(
    _ check: ((Entry, [UInt8]) -> Void)? = nil
  ) -> CompletionQueue.TransferHandler {
    let number = open()
    return { result, buffer in
      let entry =
        switch result {
        case .success(let byteCount): Entry.moved(byteCount)
        case .failure(let error): Entry.failed(error.errno, byteCountDone: error.byteCountDone)
        }
      self.note(number, entry)
      check?(entry, Array(buffer))
    }
  }

  /// A handler for a read that has to give these bytes, if it succeeds.
  func read(
    expecting bytes: [UInt8], file: StaticString = #filePath, line: UInt = #line
  ) -> CompletionQueue.TransferHandler {
    transfer { entry, found in
      guard case .moved(let byteCount) = entry else { return }
      XCTAssertEqual(byteCount, bytes.count, file: file, line: line)
      XCTAssertTrue(found == bytes, "wrong bytes", file: file, line: line)
    }
  }

  /// A handler for a sync or a close.
  func sync() -> CompletionQueue.SyncHandler {
    let number = open()
    return { result in
      switch result {
      case .success: self.note(number, .done)
      case .failure(let error):
        self.note(number, .failed(error.errno, byteCountDone: error.byteCountDone))
      }
    }
  }

  /// What a handler was called with, if it was called once.
  subscript(number: Int) -> Entry? {
    entries[number].count == 1 ? entries[number][0] : nil
  }

  /// The handlers that were called.
  var called: [Int] { entries.indices.filter { !entries[$0].isEmpty } }

  func assertEachOnce(
    _ message: @autoclosure () -> String = "", file: StaticString = #filePath, line: UInt = #line
  ) {
    let wrong = entries.indices.filter { entries[$0].count != 1 }
    XCTAssertTrue(
      wrong.isEmpty, "not called once: \(wrong.prefix(10)) \(message())", file: file, line: line)
  }

  func assertAll(
    _ expected: Entry, in range: Range<Int>? = nil, file: StaticString = #filePath,
    line: UInt = #line
  ) {
    let range = range ?? entries.indices
    let wrong = range.filter { entries[$0] != [expected] }
    XCTAssertTrue(
      wrong.isEmpty, "not \(expected): \(wrong.prefix(10).map { ($0, entries[$0]) })",
      file: file, line: line)
  }

  private func open() -> Int {
    entries.append([])
    return entries.count - 1
  }

  private func note(_ number: Int, _ entry: Entry) {
    entries[number].append(entry)
    order.append(number)
  }
}
