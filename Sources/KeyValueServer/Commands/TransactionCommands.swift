/// The commands that run several commands as one.
enum TransactionCommands {
  static let all: [Command] = [
    .transaction("multi", 1, "Starts a transaction: the next commands wait for EXEC.") {
      call throws(CommandError) in
      guard call.client?.session.transaction == nil else {
        throw CommandError("ERR MULTI calls can not be nested")
      }
      call.change { $0.transaction = Transaction() }
      call.reply.ok()
    },
    .transaction("exec", 1, "Runs the commands of a transaction.") { call throws(CommandError) in
      try execute(call)
    },
    .transaction("discard", 1, "Ends a transaction without running its commands.") {
      call throws(CommandError) in
      guard call.client?.session.transaction != nil else {
        throw CommandError("ERR DISCARD without MULTI")
      }
      end(call)
      call.reply.ok()
    },
    .transaction("watch", -2, keys: .all, "Makes EXEC depend on keys: it runs if none changes.") {
      call throws(CommandError) in
      guard call.client?.session.transaction == nil else {
        throw CommandError("ERR WATCH inside MULTI is not allowed")
      }
      for index in 1..<call.argumentCount { watch(call.key(index), call) }
      call.reply.ok()
    },
    .read("unwatch", 1, "Forgets the watched keys.") { call throws(CommandError) in
      unwatch(call)
      call.reply.ok()
    },
  ]

  private static func watch(_ key: Key, _ call: Call) {
    guard let client = call.client, client.session.watchedVersions[key] == nil else { return }
    // Reads the newest state, and removes a key that has expired: that is no change. If the state
    // is not committed yet, the reply waits, and until then the client reads the newest state.
    _ = call.database.read(key, .newest)
    let version = call.database.watchedKeys.watch(key)
    call.change { $0.watch(key, version: version) }
  }

  /// Forgets what the client watches.
  static func unwatch(_ call: Call) {
    guard let client = call.client, !client.session.watchedVersions.isEmpty else { return }
    client.unwatch(call.database)
  }

  /// Ends the transaction, if there is one, and forgets the watched keys.
  static func end(_ call: Call) {
    unwatch(call)
    call.change { $0.transaction = nil }
  }

  /// Whether a key has changed or expired since it was watched.
  private static func hasWatchedChange(_ call: Call) -> Bool {
    let watched = call.client?.session.watchedVersions ?? [:]
    return watched.contains { key, version in
      // Removes a key that has expired since; that is a change.
      _ = call.database.read(key, .newest)
      return call.database.watchedKeys.version(of: key) != version
    }
  }

  private static func execute(_ call: Call) throws(CommandError) {
    guard let transaction = call.client?.session.transaction else {
      throw CommandError("ERR EXEC without MULTI")
    }
    var refusal: CommandError?
    if transaction.grows, !transaction.isAborted {
      // First, since it may remove keys that are watched.
      do throws(CommandError) { try call.server.makeRoom() } catch { refusal = error }
    }
    let isChanged = hasWatchedChange(call)
    end(call)
    guard !transaction.isAborted else {
      throw CommandError("EXECABORT Transaction discarded because of previous errors.")
    }
    if transaction.hasWrite, let reason = call.server.log.writeError {
      throw CommandError("EXECABORT Transaction discarded because of: \(reason)")
    }
    guard !isChanged else { return call.reply.nullArray() }
    if let refusal {
      throw CommandError("EXECABORT Transaction discarded because of: \(refusal.text)")
    }
    call.run(transaction)
  }
}
