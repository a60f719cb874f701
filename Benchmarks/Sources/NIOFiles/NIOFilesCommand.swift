internal import ArgumentParser
internal import Foundation
internal import Measuring

/// `nio-files`: one measurement of file calls in SwiftNIO, its own and ours. A program of its own,
/// since its threads would stay, and `peers` has to measure with none but its own.
@main
struct NIOFilesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nio-files",
    abstract: "Measures file calls in SwiftNIO once, for `peers`.")

  enum Engine: String, CaseIterable, ExpressibleByArgument {
    case fileSystem, nonBlockingFileIO, loopFiles
  }

  enum Work: String, CaseIterable, ExpressibleByArgument {
    case reads, writes
  }

  @Argument(help: "Which interface.")
  var engine: Engine

  @Argument(help: "What it does.")
  var work: Work

  @Option(help: "The job, as JSON.")
  var job: String

  func run() async throws {
    let job = try JSONDecoder().decode(Job.self, from: Data(job.utf8))
    let sample =
      switch engine {
      case .fileSystem: try await FileSystemContestant.measure(job, work)
      case .nonBlockingFileIO: try await FileIOContestant.measure(job, work)
      case .loopFiles: try await LoopFilesContestant.measure(job, work)
      }
    FileHandle.standardOutput.write(try JSONEncoder().encode(sample))
  }
}

/// The pool that both get, as libuv's.
enum Pool {
  static let threadCount = 4
}
