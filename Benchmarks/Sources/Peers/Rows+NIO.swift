internal import Foundation
internal import Measuring

/// The same work by SwiftNIO and by ours, in the style that each of the two has: callbacks on a
/// loop's thread, and tasks that await. And ours on SwiftNIO's loops.
enum NIORows {
  static func reads(_ files: WorkFiles, depth: Int) -> Row {
    row(
      "nio-cached-\(depth)", "random 4 KiB reads, cached, depth \(depth), beside SwiftNIO",
      Job(path: files.cached, blockCount: WorkFiles.blockCount, depth: depth), work: "reads",
      called: LoopContestant.read, awaited: LoopContestant.awaitedRead)
  }

  static func writes(_ files: WorkFiles, depth: Int) -> Row {
    row(
      "nio-write-\(depth)",
      "sequential 4 KiB buffered writes, depth \(depth), beside SwiftNIO",
      Job(path: files.written, blockCount: WorkFiles.writtenBlockCount, depth: depth),
      work: "writes", called: LoopContestant.write, awaited: LoopContestant.awaitedWrite)
  }

  /// On SwiftNIO's own loops, beside what it has for files.
  static func loopReads(_ files: WorkFiles, depth: Int, blocksPerRequest: Int = 1) -> Row {
    // So that the last read fits.
    let blockCount = WorkFiles.blockCount - Int64(blocksPerRequest - 1)
    var job = Job(path: files.cached, blockCount: blockCount, depth: depth)
    job.blocksPerRequest = blocksPerRequest
    let size = job.requestByteCount / 1024
    return loopRow(
      "nio-loop-cached-\(size)-\(depth)",
      "random \(size) KiB reads, cached, depth \(depth), on SwiftNIO's loop", job, work: "reads")
  }

  static func loopWrites(_ files: WorkFiles, depth: Int) -> Row {
    loopRow(
      "nio-loop-write-\(depth)",
      "sequential 4 KiB buffered writes, depth \(depth), on SwiftNIO's loop",
      Job(path: files.written, blockCount: WorkFiles.writtenBlockCount, depth: depth),
      work: "writes")
  }

  private static func loopRow(_ name: String, _ title: String, _ job: Job, work: String) -> Row {
    Row(
      name, title, job,
      contestants: [
        contestant(names.loopFiles, "loopFiles", work),
        contestant(names.future, "nonBlockingFileIO", work),
        contestant(names.fileSystem, "fileSystem", work),
      ],
      matches: [
        Row.Match(names.loopFiles, against: names.future),
        Row.Match(names.loopFiles, against: names.fileSystem),
      ])
  }

  /// Beside the same reads in the reactor.
  static func loopDirectReads(_ files: WorkFiles, depth: Int) -> Row {
    var job = Job(path: files.direct, blockCount: WorkFiles.blockCount, depth: depth)
    job.isDirect = true
    job.requestsPerLook = 16
    return Row(
      "nio-loop-direct-\(depth)",
      "random 4 KiB reads, O_DIRECT, depth \(depth), on SwiftNIO's loop", job,
      contestants: [
        contestant(names.loopFiles, "loopFiles", "reads"),
        Row.Contestant(names.called, LoopContestant.read),
      ],
      matches: [Row.Match(names.loopFiles, against: names.called)])
  }

  private static let names = (
    called: "ours, callbacks", awaited: "ours, awaited", loopFiles: "NIOPosixAIO, awaited",
    future: "NonBlockingFileIO, futures", fileSystem: "NIOFileSystem, awaited"
  )

  private static func row(
    _ name: String, _ title: String, _ job: Job, work: String,
    called: @escaping (Job) throws -> Sample, awaited: @escaping (Job) throws -> Sample
  ) -> Row {
    Row(
      name, title, job,
      contestants: [
        Row.Contestant(names.called, called),
        Row.Contestant(names.awaited, awaited),
        contestant(names.future, "nonBlockingFileIO", work),
        contestant(names.fileSystem, "fileSystem", work),
      ],
      matches: [
        Row.Match(names.called, against: names.future),
        Row.Match(names.awaited, against: names.fileSystem),
      ])
  }

  private static func contestant(
    _ name: String, _ engine: String, _ work: String
  ) -> Row.Contestant {
    Row.Contestant(name) { job in
      let description = String(decoding: try JSONEncoder().encode(job), as: UTF8.self)
      guard
        let sample: Sample = try SiblingProgram.run(
          "nio-files", [engine, work, "--job", description])
      else {
        throw SiblingProgram.Failure(
          description: "nio-files was not built; `swift build -c release` does it")
      }
      return sample
    }
  }
}
