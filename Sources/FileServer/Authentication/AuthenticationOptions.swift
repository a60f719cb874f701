import ArgumentParser
import SystemPackage

/// The options for passwords.
struct AuthenticationOptions: ParsableArguments {
  @Option(
    name: .customLong("auth"),
    help: """
      A user that may use the server, as USER:HASH, with a hash that \"mkpasswd\" or \
      \"openssl passwd -6\" prints, or a line of \"htpasswd -nB USER\". It can be given several \
      times.
      """)
  var users: [String] = []

  @Option(
    name: .customLong("auth-file"),
    help: "A file with a USER:HASH in each line. Other users of the machine see options.")
  var file: String?

  @Flag(
    name: .customLong("auth-uploads-only"),
    help: "Lets all clients read files and listings; only uploads need a password.")
  var uploadsOnly = false

  mutating func validate() throws {
    var credentials = Credentials()
    for user in users {
      do throws(Credentials.FormatError) {
        try credentials.add(user)
      } catch {
        throw ValidationError("--auth \(error)")
      }
    }
    guard !uploadsOnly || file != nil || !users.isEmpty else {
      throw ValidationError("--auth-uploads-only needs --auth or --auth-file")
    }
  }

  /// Reads the file, and waits for the disk.
  ///
  /// - Returns: The users; nil if no password is needed.
  func credentials() throws -> Credentials? {
    var credentials = Credentials()
    for user in users { try credentials.add(user) }
    if let file { try credentials.add(lines: try smallFile(FilePath(file))) }
    return file == nil && credentials.isEmpty ? nil : credentials
  }
}
