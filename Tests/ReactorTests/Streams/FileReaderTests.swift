import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class FileReaderTests: XCTestCase {
  // XCTest makes all its test cases first and keeps them to the end, and a loop its signal as long
  // as it lives.
  private var folder: TemporaryDirectory?
  private var loop: EventLoop?

  override func setUpWithError() throws {
    (folder, loop) = (try TemporaryDirectory(), try EventLoop())
  }

  override func tearDown() {
    (folder, loop) = (nil, nil)
  }

  private func open(_ bytes: [UInt8]) throws -> (EventLoop, TemporaryDirectory, File) {
    let (folder, loop) = (try XCTUnwrap(folder), try XCTUnwrap(loop))
    try folder.write(bytes, to: "file")
    return (loop, folder, try loop.open(folder.path.appending("file")))
  }

  private func configuration(_ chunkByteCount: Int, _ chunkCount: Int) -> FileReader.Configuration {
    var configuration = FileReader.Configuration()
    configuration.chunkByteCount = chunkByteCount
    configuration.chunkCount = chunkCount
    return configuration
  }

  // MARK: Chunks

  func test_chunksAreTheFileInOrder_whateverTheSizesAre() throws {
    for byteCount in [0, 1, 99, 100, 101, 1000, 12_345] {
      let bytes = Pattern.block(byteCount, byteCount: byteCount)
      let (loop, _, file) = try open(bytes)
      for chunkCount in [1, 2, 5] {
        let reader = FileReader(file, configuration: configuration(100, chunkCount))
        let chunks = try loop.chunks(of: reader).get()
        XCTAssertTrue(Array(chunks.joined()) == bytes)
        XCTAssertTrue(chunks.dropLast().allSatisfy { $0.count == 100 })
        XCTAssertEqual(reader.offset, Int64(byteCount))
      }
    }
  }

  func test_rangeIsReadAndNothingElse() throws {
    let bytes = Pattern.block(1, byteCount: 1000)
    let (loop, _, file) = try open(bytes)
    for range in [0..<0, 0..<1, 150..<850, 900..<1000, 950..<2000, 1000..<1001, 5000..<6000] {
      let reader = FileReader(
        file, Int64(range.lowerBound)..<Int64(range.upperBound), configuration: configuration(64, 3)
      )
      let expected = Array(bytes[range.clamped(to: 0..<1000)])
      XCTAssertEqual(Array(try loop.chunks(of: reader).get().joined()), expected, "\(range)")
    }
  }

  func test_noMoreIsReadAheadThanAllowed() throws {
    let (loop, _, file) = try open(Pattern.block(1, byteCount: 100_000))
    let reader = FileReader(file, configuration: configuration(1000, 3))
    XCTAssertEqual(loop.queue.unfinishedCount, 0)
    for number in 1...5 {
      _ = try loop.chunk(of: reader)
      loop.wait { loop.queue.unfinishedCount == 0 }
      // The one that was given, three that are at hand, and nothing else.
      XCTAssertEqual(loop.queue.statistics.completedCount, UInt64(number + 3))
    }
  }

  // MARK: Files that change

  func test_fileTruncatedUnderItEndsEarlier() throws {
    let bytes = Pattern.block(1, byteCount: 1000)
    let (loop, folder, file) = try open(bytes)
    let reader = FileReader(file, configuration: configuration(100, 1))
    var read = try loop.chunk(of: reader).get() ?? []
    // The second is at hand by now, so it is delivered as it was.
    loop.wait { loop.queue.unfinishedCount == 0 }
    try folder.write(bytes.prefix(250), to: "file")
    read += Array(try loop.chunks(of: reader).get().joined())
    XCTAssertEqual(read, Array(bytes.prefix(250)))
    try folder.write([], to: "file")
    XCTAssertEqual(try loop.chunk(of: reader).get(), nil)
  }

  func test_fileThatGrowsIsReadFurther() throws {
    let bytes = Pattern.block(1, byteCount: 50_000)
    let (loop, folder, file) = try open(Array(bytes.prefix(150)))
    let reader = FileReader(file, configuration: configuration(100, 3))
    var read = try loop.chunk(of: reader).get() ?? []
    try folder.write(bytes, to: "file")
    read += Array(try loop.chunks(of: reader).get().joined())
    XCTAssertTrue(read == bytes)
  }

  func test_fileOfProcIsReadWhole() throws {
    let loop = try EventLoop()
    let file = try loop.open("/proc/kallsyms", .readOnly, options: [])
    let read = try loop.chunks(of: FileReader(file)).get().joined()
    let whole = try loop.bytes { File.contents(of: "/proc/kallsyms", on: loop, $0) }.get()
    XCTAssertTrue(Array(read) == whole)
  }

  // MARK: Errors

  func test_errorHasItsPlaceAndStays() throws {
    let folder = try TemporaryDirectory()
    let loop = try EventLoop()
    try folder.write(Pattern.block(1, byteCount: 1000), to: "file")
    let path = folder.path.appending("file")
    let file = try loop.open(path, .writeOnly)
    let reader = FileReader(file, 300..<1000, configuration: configuration(100, 3))
    let error = FileError(operation: .read, path: path, offset: 300, errno: .badFileDescriptor)
    for _ in 0..<3 { XCTAssertEqual(try loop.chunk(of: reader), .failure(error)) }
    XCTAssertEqual(reader.offset, 300)
  }

  func test_closedFileGivesAnError() throws {
    let (loop, _, file) = try open([1])
    try loop.close(file)
    XCTAssertEqual(
      try loop.chunk(of: FileReader(file)),
      .failure(
        FileError(operation: .read, path: file.path, offset: 0, errno: .badFileDescriptor)))
  }

  func test_cancelEndsWhoeverWaitsOnce_andLetsTheFileBeClosed() throws {
    let (loop, _, file) = try open(Pattern.block(1, byteCount: 100_000))
    let reader = FileReader(file, configuration: configuration(1000, 10))
    _ = try loop.chunk(of: reader)
    let cancelled = FileError(
      operation: .read, path: file.path, offset: 1000, errno: .canceled)
    XCTAssertEqual(
      try loop.chunk(of: reader) { reader.cancel() }, .failure(cancelled))
    XCTAssertEqual(try loop.chunk(of: reader), .failure(cancelled))
    try loop.close(file)
    XCTAssertEqual(loop.queue.unfinishedCount, 0)
  }

  func test_chunkIsNotReadTwice_whenTheReaderIsDropped() throws {
    let (loop, _, file) = try open(Pattern.block(1, byteCount: 100_000))
    weak var dropped: FileReader?
    do {
      let reader = FileReader(file, configuration: configuration(1000, 10))
      dropped = reader
      _ = try loop.chunk(of: reader)
    }
    try loop.close(file)
    XCTAssertNil(dropped)
  }
}

extension EventLoop {
  /// The next chunk.
  func chunk(
    of reader: FileReader, while body: () -> Void = {}
  ) throws -> Result<[UInt8]?, FileError> {
    try outcome { done in
      reader.next { result in
        switch consume result {
        case .success(let chunk?):
          let bytes = Array(chunk)
          reader.recycle(chunk)
          done(.success(bytes))
        case .success(nil): done(.success(nil))
        case .failure(let error): done(.failure(error))
        }
      }
      body()
    }
  }

  /// All chunks that are left.
  func chunks(of reader: FileReader) throws -> Result<[[UInt8]], FileError> {
    var chunks: [[UInt8]] = []
    while true {
      switch try chunk(of: reader) {
      case .success(let chunk?): chunks.append(chunk)
      case .success(nil): return .success(chunks)
      case .failure(let error): return .failure(error)
      }
    }
  }
}
