import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

/// A test with a folder, and with helpers that are let go at its end.
class OperationTestCase: XCTestCase {
  private(set) var folder: TemporaryDirectory!
  private var opened: [FileDescriptor] = []
  private var saturation: HelperSaturation?

  override func setUpWithError() throws {
    // Before the first operation of the process.
    _ = HelperSaturation.helperCount
    folder = try TemporaryDirectory()
  }

  override func tearDownWithError() throws {
    try saturation?.release()
    saturation = nil
    // A test may have closed it.
    for descriptor in opened { _ = Glibc.close(descriptor.rawValue) }
    opened = []
    XCTAssertEqual(AIOOperation.reclaimDropped(), 0, "an operation outlives the test")
    folder = nil
  }

  /// From here on nothing that is submitted begins, until the saturation is released.
  func saturateHelpers() throws -> HelperSaturation {
    let saturation = try HelperSaturation()
    self.saturation = saturation
    return saturation
  }

  /// Makes a file, opened for reading and writing, closed at the end of the test.
  func file(_ text: String = "", name: String = "file") throws -> FileDescriptor {
    try folder.write(text.utf8, to: name)
    return try open(name)
  }

  /// Opens a file of the folder until the end of the test.
  func open(
    _ name: String = "file", options: FileDescriptor.OpenOptions = []
  ) throws -> FileDescriptor {
    let descriptor = try folder.open(name, options: options)
    opened.append(descriptor)
    return descriptor
  }

  /// A file's content as text.
  func text(of name: String = "file") throws -> String {
    String(decoding: try folder.contents(of: name), as: UTF8.self)
  }

  /// Checks that `body` throws this error.
  func assertThrows<Value>(
    _ expected: Errno, _ body: @autoclosure () throws -> Value, line: UInt = #line,
    file: StaticString = #filePath
  ) {
    XCTAssertThrowsError(try body(), file: file, line: line) { error in
      XCTAssertEqual(error as? Errno, expected, file: file, line: line)
    }
  }
}

/// A descriptor number that is never open.
let closedDescriptor = FileDescriptor(rawValue: Int32.max)

extension AIOOperation {
  /// Waits until the operation is finished, under the deadline of tests.
  func waitUntilFinished() throws {
    let end = ContinuousClock.now + testDeadline
    while error() == .nowInProgress {
      do {
        try AIOOperation.suspend([self], timeout: end - .now)
      } catch Errno.interrupted {}
    }
  }
}

extension AIO {
  /// The result, as soon as the operation is finished.
  func waitForResult() throws -> Output {
    try waitUntilFinished()
    return try takeResult()
  }
}

extension IOBuffer {
  /// A buffer with a text.
  init(_ text: String) {
    self.init(copying: Array(text.utf8))
  }
}

extension IOVector {
  /// A vector of texts.
  init(_ texts: [String]) {
    self.init()
    for text in texts { append(IOBuffer(text)) }
  }

  /// A vector of empty buffers.
  init(capacities: [Int]) {
    self.init()
    for capacity in capacities { append(IOBuffer(capacity: capacity)) }
  }
}

extension AIOBufferTransfer {
  /// Takes the buffer, as text.
  func takeText() -> String? {
    guard let buffer = takeBuffer() else { return nil }
    return String(decoding: buffer)
  }
}

extension AIOVectorTransfer {
  /// Takes all buffers, as texts.
  func takeTexts() -> [String]? {
    guard var vector = takeVector() else { return nil }
    var texts: [String] = []
    while let buffer = vector.popFirst() { texts.append(String(decoding: buffer)) }
    return texts
  }
}
