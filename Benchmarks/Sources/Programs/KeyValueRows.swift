internal import Foundation
internal import Measuring

/// The rows about `aio-kv`, beside a redis-server that syncs each write.
struct KeyValueRows {
  let peers: Peers
  let folder: URL

  var all: [ProgramRow] {
    [
      row("set-1", "SET, 50 clients", ["-t", "set", "-c", "50"], perSecond: 20_000, .atLeast(1)),
      row(
        "set-16", "SET, 50 clients, 16 requests on the way",
        ["-t", "set", "-c", "50", "-P", "16"], perSecond: 100_000, .atLeast(1)),
      row("get-1", "GET, 50 clients", ["-t", "get", "-c", "50"], perSecond: 40_000, nil),
      row(
        "get-16", "GET, 50 clients, 16 requests on the way",
        ["-t", "get", "-c", "50", "-P", "16"], perSecond: 300_000, nil),
      besideWrites,
    ]
  }

  private func row(
    _ name: String, _ title: String, _ arguments: [String], perSecond: Double, _ floor: Floor?
  ) -> ProgramRow {
    row(name, title, "requests/s", floor) { server, seconds in
      let count = perSecond * seconds
      let lines = try Self.benchmark(server, arguments + ["-n", "\(Int(count))"])
      return .init(value: try Self.column(1, lines), requestCount: count)
    }
  }

  /// Floor: 1.5 times as fast.
  private var besideWrites: ProgramRow {
    row(
      "get-beside", "99 of 100 GETs of 10 clients, while 50 clients SET", "µs",
      .atMost(1 / 1.5)
    ) { server, seconds in
      let load = Process()
      load.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      load.arguments =
        ["redis-benchmark", "-p", "\(server.port)", "-t", "set", "-c", "50", "-r", "10000"]
        + ["-n", "1000000000"]
      load.standardOutput = FileHandle.nullDevice
      load.standardError = FileHandle.nullDevice
      try load.run()
      defer {
        load.terminate()
        load.waitUntilExit()
      }
      let arguments = ["-t", "get", "-c", "10", "-r", "10000", "-n", "\(Int(10_000 * seconds))"]
      // The 99th of 100, in milliseconds.
      return .init(value: try Self.column(6, try Self.benchmark(server, arguments)) * 1000)
    }
  }

  private func row(
    _ name: String, _ title: String, _ unit: String, _ floor: Floor?,
    _ measure: @escaping (RunningPeer, Double) throws -> ProgramRow.Figure
  ) -> ProgramRow {
    ProgramRow(
      name: "kv-\(name)", title: title, unit: unit,
      contestants: [peers.keyValueServer, peers.redis].map {
        .init(name: $0.name, peer: $0, measure: measure)
      },
      matches: [.init(ours: Name.keyValueServer, peer: Name.redis, floor: floor)],
      note: nil, folder: folder)
  }

  private static func benchmark(_ server: RunningPeer, _ arguments: [String]) throws -> String {
    try Command.output("redis-benchmark", ["-p", "\(server.port)", "--csv"] + arguments)
  }

  /// A field of the last line of what redis-benchmark prints.
  private static func column(_ index: Int, _ lines: String) throws -> Double {
    let fields = lines.split(separator: "\n").last?.split(separator: ",") ?? []
    guard fields.count > index,
      let value = Double(fields[index].filter { $0 != "\"" })
    else { throw Missing("redis-benchmark said something else than expected") }
    return value
  }
}
