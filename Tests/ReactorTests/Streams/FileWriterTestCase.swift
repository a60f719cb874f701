import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// A writer with small limits.
class FileWriterTestCase: XCTestCase {
  final func make(
    chunk: Int = 1000, buffer: Int = 5000, options: FileDescriptor.OpenOptions = .create
  ) throws -> (EventLoop, TemporaryDirectory, FileWriter) {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let file = try loop.open(folder.path.appending("file"), options: options)
    return (loop, folder, FileWriter(file, configuration: configuration(chunk, buffer)))
  }

  final func configuration(_ chunk: Int, _ buffer: Int) -> FileWriter.Configuration {
    var configuration = FileWriter.Configuration()
    configuration.chunkByteCount = chunk
    configuration.bufferByteCount = buffer
    return configuration
  }

  final func refusal(_ body: () throws -> Void) -> Errno? {
    do {
      try body()
      return nil
    } catch {
      return error as? Errno
    }
  }
}
