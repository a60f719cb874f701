internal import Foundation
internal import Measuring

/// The same work by SwiftNIO and by ours, in the style that each of the two has: callbacks on a
/// loop's thread, and tasks that await.
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

  private static func row(
    _ name: String, _ title: String, _ job: Job, work: String,
    called: @escaping (Job) throws -> Sample, awaited: @escaping (Job) throws -> Sample
  ) -> Row {
    let names = (
      called: "ours, callbacks", awaited: "ours, awaited", future: "NonBlockingFileIO, futures",
      fileSystem: "NIOFileSystem, awaited"
    )
    return Row(
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
