internal import Foundation
internal import Measuring

/// A server that takes part, and how it is started.
struct Peer {
  /// As the tables call it.
  let name: String

  /// The program, as an absolute path, or to be looked for in `PATH`.
  let program: String

  /// The folder that it may write to, and the port that it is to listen on.
  let arguments: (_ folder: URL, _ port: UInt16) throws -> [String]

  /// Whether it answers, once it accepts clients: redis refuses while it reads its log.
  var answers: (_ port: UInt16) -> Bool = { _ in true }

  /// Where the program is; nil if it is not installed.
  var executable: URL? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    let candidates =
      program.contains("/")
      ? [program] : (folders.map(String.init) + ["/usr/sbin"]).map { "\($0)/\(program)" }
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
      .map { URL(fileURLWithPath: $0) }
  }
}

/// Why a row can't be measured here.
struct Missing: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// A server that runs, killed when nobody holds this any longer.
final class RunningPeer {
  let port: UInt16
  private let process = Process()
  private let name: String

  /// How long a server may take to accept its first client.
  private static let startTimeout = Duration.seconds(10)

  /// Starts a server in a folder of its own, and waits until it accepts clients.
  init(_ peer: Peer, port: UInt16, folder: URL) throws {
    guard let executable = peer.executable else {
      throw Missing("\(peer.program) is not installed, which \(peer.name) needs")
    }
    self.port = port
    name = peer.name
    let own = folder.appendingPathComponent("\(port)")
    try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
    process.executableURL = executable
    process.arguments = try peer.arguments(own, port)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    try wait(for: peer)
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
  }

  private func wait(for peer: Peer) throws {
    let end = ContinuousClock.now + Self.startTimeout
    while .now < end, process.isRunning {
      if let client = try? BlockingClient(port: port), peer.answers(port) {
        return withExtendedLifetime(client) {}
      }
      // Nothing tells that another process listens.
      usleep(10_000)
    }
    throw Missing("\(name) did not start")
  }

  /// The most memory that the server has had so far, the pages of its program and libraries
  /// included, in bytes: `VmHWM`.
  var peakMemory: Double {
    let path = "/proc/\(process.processIdentifier)/status"
    let lines = (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n") ?? []
    let line = lines.first { $0.hasPrefix("VmHWM:") }
    let kibibytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first
    return (kibibytes.flatMap { Double($0) } ?? 0) * 1024
  }

  /// Processor time that the server has used so far, its threads and the kernel's work for them
  /// included, in seconds.
  var processorTime: Double {
    let path = "/proc/\(process.processIdentifier)/stat"
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return 0 }
    // The name in parentheses may have spaces; utime and stime are the 12th and 13th behind it.
    let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
      return 0
    }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }
}

/// A command that runs to its end, and what it prints.
enum Command {
  static func output(_ program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Missing("\(program) is not installed, or failed")
    }
    return String(decoding: data, as: UTF8.self)
  }
}
