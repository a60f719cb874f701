public import ArgumentParser

extension ParsableCommand {
  /// As `ParsableCommand.main()`, but an error prints only one line, after the program's name,
  /// instead of a page.
  public static func start() {
    do {
      var command = try parse()
      try command.run()
    } catch {
      let code = exitCode(for: error)
      guard !code.isSuccess else { exit(withError: error) }
      let text = message(for: error)
      // Empty if the program has already reported the error.
      if !text.isEmpty { StandardError.write(line: "\(_commandName): \(text)") }
      exit(withError: code)
    }
  }
}

/// The reason that a program does not start, in one line.
public struct StartFailure: Error, CustomStringConvertible {
  /// The reason, in one line.
  public let description: String

  /// - Parameter description: The failed step and its cause.
  public init(_ description: String) {
    self.description = description
  }
}
