import Glibc
import PosixAIO
import SystemPackage
import TestSupport

@testable import Reactor

/// What calls are made on.
extension Site {
  /// A loop and a directory, for calls that need nothing open.
  struct Anywhere {
    let loop: EventLoop
    let folder: FilePath

    func path(_ name: String) -> FilePath { folder.appending(name) }
  }

  /// With a file "file" of the old content, a link "link" to it and an empty directory "empty".
  func anywhere() throws -> Anywhere {
    try furnish()
    return Anywhere(loop: try liveLoop(), folder: folder.path)
  }

  private func furnish() throws {
    try folder.write(Self.old, to: "file")
    guard unsafe mkdir(path("empty").string, 0o755) == 0,
      unsafe symlink("file", path("link").string) == 0
    else { throw Errno(rawValue: errno) }
  }

  /// A file of the old content, open for reading and writing.
  func file() throws -> File { try file(options: []) }

  func appendedFile() throws -> File { try file(options: .append) }

  private func file(options: FileDescriptor.OpenOptions) throws -> File {
    try folder.write(Self.old, to: "file")
    return keep(try liveLoop().open(path("file"), .readWrite, options: options))
  }

  /// A file with a lock of another open file in the way.
  ///
  /// - Parameter isReleased: Whether the lock is released when the call is let end.
  func lockedFile(isReleased: Bool = true) throws -> File {
    let file = try file()
    let other = try hold(unsafe open(path("file").string, O_RDWR | O_CLOEXEC))
    try lockWhole(other, F_WRLCK)
    // What cannot be released keeps the call from ending, which its cell tells.
    if isReleased { whenLet { try? lockWhole(other, F_UNLCK) } }
    return file
  }

  /// The directory, furnished as for ``anywhere()``.
  func directory() throws -> Directory {
    try furnish()
    let (loop, path) = (try liveLoop(), folder.path)
    return keep(try loop.value { Directory.open(path, on: loop, $0) })
  }

  func directoryReader() throws -> DirectoryReader { keep(try directory().batches(of: 1)) }

  /// A temporary file of the new content.
  func temporaryFile() throws -> TemporaryFile {
    let directory = try directory()
    return try filled(try liveLoop().value { directory.temporaryFile($0) })
  }

  /// The same, with a hidden name.
  func namedTemporaryFile() throws -> TemporaryFile {
    let directory = try directory()
    return try filled(try liveLoop().value { directory.namedTemporaryFile($0) })
  }

  private func filled(_ made: TemporaryFile) throws -> TemporaryFile {
    try liveLoop().value { done in
      made.file.write(IOBuffer(copying: Self.new), at: 0) { result, _ in done(result) }
    }
    return keep(made)
  }

  func fileReader() throws -> FileReader {
    var configuration = FileReader.Configuration()
    configuration.chunkByteCount = 1000
    return keep(FileReader(try file(), configuration: configuration))
  }

  func lineReader() throws -> LineReader {
    let file = try file()
    try folder.write(Array("first\nsecond\nthird".utf8), to: "file")
    return keep(LineReader(file))
  }

  /// A writer of a new file, which takes as much as the new content.
  func writer() throws -> FileWriter {
    var configuration = FileWriter.Configuration()
    configuration.chunkByteCount = 1000
    configuration.bufferByteCount = Self.new.count
    let file = try liveLoop().open(path("written"))
    return keep(FileWriter(keep(file), configuration: configuration))
  }

  /// A file of the completion queue.
  func queuedFile() throws -> AIOFile {
    try folder.write(Self.old, to: "file")
    return keep(AIOFile(try folder.open("file"), path: "file", queue: try liveLoop().queue))
  }

  /// The reading end of a pipe in which there is nothing.
  func emptyPipe() throws -> AIOFile {
    let ends = try FileDescriptor.pipe()
    let writeEnd = try hold(ends.writeEnd.rawValue)
    whenLet { _ = unsafe write(writeEnd, [7] as [UInt8], 1) }
    return keep(AIOFile(ends.readEnd, path: "pipe", queue: try liveLoop().queue))
  }
}

/// Locks or unlocks all of an open file, without this package.
private func lockWhole(_ descriptor: Int32, _ type: Int32) throws {
  // `F_OFD_SETLK`, which Glibc does not show: a lock of the open file, not of the process.
  let setLock: Int32 = 37
  var lock = flock(
    l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
  guard unsafe fcntl(descriptor, setLock, &lock) == 0 else { throw Errno(rawValue: errno) }
}
