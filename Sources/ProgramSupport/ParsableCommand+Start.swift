public import ArgumentParser

extension ParsableCommand {
  /// As `ParsableCommand.main()`, with one line behind the program's name instead of a page for
  /// whatever keeps it from running.
  public static func start() {
    do {
      var command = try parse()
      try command.run()
    } catch {
      let code = exitCode(for: error)
      guard !code.isSuccess else { exit(withError: error) }
      let text = message(for: error)
      // None where the program has said by itself what was wrong.
      if !text.isEmpty { StandardError.write(line: "\(_commandName): \(text)") }
      exit(withError: code)
    }
  }
}

/// Why a program does not start, in one line.
public struct StartFailure: Error, CustomStringConvertible {
  /// The line.
  public let description: String

  /// - Parameter description: What could not be done, and why.
  public init(_ description: String) {
    self.description = description
  }
}
