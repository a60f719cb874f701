// Checksummer PATH…: prints the CRC-32C of each file, and of the files below each directory. The
// standard error shows the progress. The first Ctrl-C ends it with the checksums that are finished,
// and the exit status 130; a second one ends it at once.
import Glibc
import PosixAIO
import Reactor
import SystemPackage

struct CRC32C {
  private static let table = (0..<256).map { (byte: UInt32) -> UInt32 in
    var sum = byte
    for _ in 0..<8 { sum = sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0x82F6_3B78 }
    return sum
  }
  private var sum = UInt32.max

  mutating func add(_ bytes: Span<UInt8>) {
    for index in bytes.indices {
      sum = sum >> 8 ^ Self.table[Int(UInt8(truncatingIfNeeded: sum) ^ bytes[index])]
    }
  }

  var text: String {
    let digits = String(~sum, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}

/// Everything here runs on the loop's thread, the handlers of the signal and the timer too.
actor Checksummer: LoopActor {
  private static let concurrentFileLimit = 8
  let loop: EventLoop
  private var fileCount = 0
  private var failureCount = 0
  private var byteCount = 0
  private var directories: [FilePath] = []
  private var runningCount = 0

  init(on loop: EventLoop) { self.loop = loop }

  /// - Returns: The program's exit status.
  func run(_ paths: [FilePath]) async -> Int32 {
    let sums = loop.startTask { await self.addChecksums(of: paths) }
    var interrupt: SignalWatch?
    interrupt = loop.watch(.interrupt) {
      interrupt?.cancel()  // the next one has its usual effect
      sums.cancel()
    }
    let progress = loop.schedule(every: .milliseconds(200)) { self.report(end: "\r") }
    await sums.value
    interrupt?.cancel()
    progress.cancel()
    report(end: "\n")
    if sums.isCancelled { return 130 }
    return failureCount == 0 ? 0 : 1
  }

  /// A bounded number of files is open at a time, and one directory.
  private func addChecksums(of paths: [FilePath]) async {
    await withTaskGroup { group in
      for path in paths {
        do {
          await add(path, try await File.status(of: path, on: loop), &group)
        } catch { fail(error) }
      }
      while let path = directories.popLast() {
        do {
          for try await batch in try await Directory.open(path, on: loop).batches() {
            for entry in batch { await add(path.appending(entry.name), entry.status, &group) }
          }
        } catch { fail(error) }
      }
    }
  }

  private func add(
    _ path: FilePath, _ status: FileStatus, _ group: inout TaskGroup<Void>
  ) async {
    switch status.kind {
    case .directory: directories.append(path)
    case .symbolicLink, .other: break  // a pipe would wait for its writer
    case .regular:
      if runningCount == Self.concurrentFileLimit { await group.next() } else { runningCount += 1 }
      group.addTask { await self.addChecksum(of: path) }
    }
  }

  private func addChecksum(of path: FilePath) async {
    do {
      var sum = CRC32C()
      try await File.withFile(path, .readOnly, regularOnly: true, on: loop) { file in
        for try await chunk in file.chunks() {
          chunk.withSpan { sum.add($0) }
          byteCount += chunk.byteCount
        }
      }
      fileCount += 1
      print("\(sum.text)  \(path)")
      fflush(nil)
    } catch { fail(error) }
  }

  private func fail(_ error: any Error) {
    if Task.isCancelled { return }  // what was interrupted has not failed
    failureCount += 1
    tell("\(error)\n")
  }

  private func report(end: String) {
    tell("\(fileCount) files, \(byteCount >> 20) MiB\(end)")
  }

  private func tell(_ text: String) {
    // Without a standard error there is nothing to tell it to.
    _ = try? FileDescriptor.standardError.writeAll(text.utf8)
  }
}

let paths = CommandLine.arguments.dropFirst().map { FilePath($0) }
exit(try EventLoop.run { await Checksummer(on: $0).run(paths) })
