import ArgumentParser
import Glibc
import Logging
import ProgramSupport
import Reactor
import SystemPackage

/// `aio-stress`: loads a file with asynchronous IO, and verifies every byte and every completion.
@main
struct StressCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "aio-stress",
    abstract: "Loads a file with asynchronous IO, and verifies every byte and every completion.",
    discussion: """
      The file is created if it is missing. At the end it is removed if this run created it and \
      everything was right. SIGINT and SIGTERM end the load early; the operations so far are \
      verified and reported.

      Exit status: 0 if everything was verified; 1 if something was wrong, with the error, its \
      place and the seed on standard error; 64 for invalid options.
      """)

  @OptionGroup var options: StressOptions

  static func main() { start() }

  func run() throws {
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    // A write over the file size limit is an error to report and must not end the process.
    signal(SIGXFSZ, SIG_IGN)
    // The same goes for a closed pipe that the report goes to.
    signal(SIGPIPE, SIG_IGN)
    let loop: EventLoop
    do throws(Errno) {
      loop = try EventLoop(configuration: options.loopConfiguration)
    } catch {
      throw StartFailure("cannot create an event loop: \(error)")
    }
    let session = Session(options, seed: options.seed ?? .random(in: 0..<1_000_000_000), on: loop)
    guard try session.run() else { throw ExitCode.failure }
  }
}
