import Glibc
import Reactor

/// The statistics that INFO returns.
extension Server {
  /// The version of Redis whose words and replies the server uses.
  static let redisVersion = "7.2.4"

  private typealias Section = (title: String, lines: [(String, Any)])

  /// The text that INFO returns.
  ///
  /// - Parameter sections: The names of the sections; none, "all", "default" or "everything"
  ///   selects all.
  func information(sections: some Sequence<Bytes>) -> String {
    let names = Set(sections.map { $0.uppercased.text })
    let isAll = names.isEmpty || !names.isDisjoint(with: ["ALL", "DEFAULT", "EVERYTHING"])
    let all = serverSections + [persistenceSection, statisticsSection] + keyspaceSections
    return all.filter { isAll || names.contains($0.title.uppercased()) }.map { section in
      "# \(section.title)\r\n" + section.lines.map { "\($0.0):\($0.1)\r\n" }.joined()
    }.joined(separator: "\r\n")
  }

  private var serverSections: [Section] {
    let uptime = (ContinuousClock.now - startTime).components.seconds
    let memory = Self.residentByteCount
    return [
      (
        "Server",
        [
          ("redis_version", Self.redisVersion), ("server_name", "aio-kv"),
          ("redis_mode", "standalone"), ("os", "Linux"), ("arch_bits", Int.bitWidth),
          ("process_id", getpid()), ("tcp_port", listener?.address.port ?? 0),
          ("uptime_in_seconds", uptime), ("uptime_in_days", uptime / 86_400),
        ]
      ),
      (
        "Clients",
        [
          ("connected_clients", clients.count), ("maxclients", limits.clientCount),
          ("blocked_clients", 0),
        ]
      ),
      (
        "Memory",
        [
          ("used_memory", memory), ("used_memory_human", "\(memory / (1 << 20))M"),
          ("used_memory_rss", memory), ("mem_clients_normal", self.memory.byteCount),
          ("used_memory_dataset", database.keyspace.memoryByteCount),
          ("maxmemory", memoryLimit.byteCount),
          ("maxmemory_human", "\(memoryLimit.byteCount / (1 << 20))M"),
          ("maxmemory_policy", memoryLimit.policy.rawValue),
        ]
      ),
    ]
  }

  private var persistenceSection: Section {
    (
      "Persistence",
      [
        ("loading", 0), ("aof_enabled", 1),
        ("aof_rewrite_in_progress", log.rewrite == nil ? 0 : 1),
        ("aof_last_write_status", log.writeError == nil ? "ok" : "err"),
        ("aof_current_size", log.end), ("aof_live_size", database.keyspace.byteCount),
      ]
    )
  }

  private var statisticsSection: Section {
    (
      "Stats",
      [
        ("total_connections_received", statistics.connectionCount),
        ("total_commands_processed", statistics.commandCount),
        ("rejected_connections", statistics.refusedConnectionCount),
        ("expired_keys", statistics.expiredKeyCount),
        ("evicted_keys", statistics.evictedKeyCount),
      ]
    )
  }

  private var keyspaceSections: [Section] {
    let count = database.keyspace.count
    let counts = "keys=\(count),expires=\(database.keyspace.expiringCount),avg_ttl=0"
    return [
      ("Replication", [("role", "master"), ("connected_slaves", 0)]),
      ("Cluster", [("cluster_enabled", 0)]),
      ("Keyspace", count == 0 ? [] : [("db0", counts)]),
    ]
  }

  /// The memory of the process, in bytes; 0 if unknown. Reads `/proc/self/statm`, which is not on a
  /// disk.
  private static var residentByteCount: Int {
    let descriptor = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return 0 }
    defer { Glibc.close(descriptor) }
    var text = Bytes(repeating: 0, count: 128)
    let count = unsafe read(descriptor, &text, text.count)
    let words = text.prefix(max(0, count)).split(separator: UInt8(ascii: " "))
    guard words.count > 1, let pages = Bytes(words[1]).integer else { return 0 }
    return Int(pages) * sysconf(Int32(_SC_PAGESIZE))
  }
}
