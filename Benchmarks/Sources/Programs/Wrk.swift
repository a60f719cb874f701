internal import Foundation

/// The load generator of the HTTP rows, on one thread.
enum Wrk {
  /// Runs it.
  ///
  /// - Parameters:
  ///   - headers: Lines to send beside `Host`.
  ///   - seconds: Rounded; at least one.
  static func load(
    _ url: String, headers: [String] = [], connectionCount: Int, seconds: Double
  ) throws -> ProgramRow.Figure {
    let time = "\(max(1, Int(seconds.rounded())))s"
    let text = try Command.output(
      "wrk", ["-t1", "-c\(connectionCount)", "-d\(time)"] + headers.flatMap { ["-H", $0] } + [url])
    let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    guard let rate = lines.first(where: { $0.first == "Requests/sec:" })?.last.flatMap(Double.init),
      let count = lines.first(where: { $0.dropFirst().first == "requests" })?.first
        .flatMap(Double.init)
    else { throw Missing("wrk said something else than expected") }
    return .init(value: rate, requestCount: count, failedCount: failures(in: lines))
  }

  /// Other statuses than 2xx and 3xx, and what went wrong on sockets.
  private static func failures(in lines: [[String]]) -> Int64 {
    let statuses = lines.first { $0.starts(with: ["Non-2xx"]) }?.last.flatMap { Int64($0) } ?? 0
    // "Socket errors: connect 0, read 0, write 0, timeout 0"
    let errors = lines.first { $0.starts(with: ["Socket", "errors:"]) } ?? []
    return errors.reduce(statuses) { $0 + (Int64($1.filter(\.isNumber)) ?? 0) }
  }
}
