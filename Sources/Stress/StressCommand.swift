import ArgumentParser
import Glibc
import Logging
import ProgramSupport
import Reactor
import SystemPackage

/// `aio-stress`: loads a file with asynchronous IO and verifies every byte and every completion.
@main
struct StressCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "aio-stress",
    abstract: "Loads a file with asynchronous IO, and verifies every byte and every completion.",
    discussion: """
      The file is made if it is missing, and removed at the end if this run made it and everything \
      was right. Interrupted, the run ends early, and verifies and prints what was done.

      Exit status: 0 if everything was verified; 1 if something was wrong, with what, where and \
      the seed; 64 for options that do not fit.
      """)

  @OptionGroup var options: StressOptions

  static func main() { start() }

  func run() throws {
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    // A limit on the size of files is an error to report, not the end of the process.
    signal(SIGXFSZ, SIG_IGN)
    // So is a reader of the report that has gone.
    signal(SIGPIPE, SIG_IGN)
    let loop: EventLoop
    do throws(Errno) {
      loop = try EventLoop(configuration: options.loopConfiguration)
    } catch {
      throw StartFailure("cannot make an event loop: \(error)")
    }
    let session = Session(options, seed: options.seed ?? .random(in: 0..<1_000_000_000), on: loop)
    guard try session.run() else { throw ExitCode.failure }
  }
}
