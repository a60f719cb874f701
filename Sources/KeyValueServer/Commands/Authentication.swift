import ProgramSupport

/// The password that clients must give, and the check of it.
enum Authentication {
  static let userName = Bytes("default".utf8)

  static let needed = CommandError(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
      + "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
      + "RESP protocol version at the same time")

  /// Runs AUTH: a password, or the only user's name and a password.
  static func authenticate(_ call: Call) throws(CommandError) {
    guard call.argumentCount <= 3 else { throw .syntax }
    guard call.argumentCount == 3 || call.server.password != nil else {
      throw CommandError(
        "ERR AUTH <password> called without any password configured for the default user. "
          + "Are you sure your configuration is correct?")
    }
    let user = call.argumentCount == 3 ? call.arguments[1] : userName
    try authenticate(call, user: user, password: call.arguments[call.argumentCount - 1])
    call.reply.ok()
  }

  /// Without a password of the server, any password is right.
  static func authenticate(
    _ call: Call, user: Bytes, password: Bytes
  ) throws(CommandError) {
    guard user == userName,
      call.server.password.map({ isEqualInConstantTime($0, password) }) ?? true
    else {
      throw CommandError("WRONGPASS invalid username-password pair or user is disabled.")
    }
    call.change { $0.isAuthenticated = true }
  }
}
