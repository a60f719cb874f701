import ArgumentParser
import Glibc
import Logging
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

  /// As `ParsableCommand.main()`, with one line instead of a page for whatever keeps the load from
  /// running.
  static func main() {
    do {
      try parse().run()
    } catch {
      let code = exitCode(for: error)
      guard !code.isSuccess else { exit(withError: error) }
      let text = message(for: error)
      if !text.isEmpty { StandardError.write(line: "aio-stress: \(text)") }
      exit(withError: code)
    }
  }

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
      throw StressFailure("cannot make an event loop: \(error)")
    }
    let session = Session(options, seed: options.seed ?? .random(in: 0..<1_000_000_000), on: loop)
    guard try session.run() else { throw ExitCode.failure }
  }
}

/// Why there is no result, in one line.
struct StressFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

enum StandardError {
  static func write(line text: String) {
    // An argument that is quoted in it may have line ends.
    write(text.split(whereSeparator: \.isNewline).joined(separator: " ") + "\n")
  }

  static func write(_ text: String) {
    // Standard error may be closed; there is nobody else to tell.
    _ = unsafe text.withCString { unsafe Glibc.write(STDERR_FILENO, $0, strlen($0)) }
  }
}
