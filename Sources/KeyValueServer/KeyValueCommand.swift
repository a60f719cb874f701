import ArgumentParser
import Glibc
import Logging
import PosixAIO
import ProgramSupport
import Reactor
import SystemPackage

/// `aio-kv`: a durable key-value server that speaks the Redis protocol, on one thread.
@main
struct KeyValueCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "aio-kv",
    abstract: "Serves keys and values by the Redis protocol; what it has acknowledged is on disk.")

  @Option(help: "The folder of the log, made if it is missing. One server uses it at a time.")
  var dir: String

  @Option(help: "The address to listen on, as a number such as 127.0.0.1 or ::1.")
  var host = "127.0.0.1"

  @Option(help: "The port to listen on; 0 takes a free one.")
  var port: UInt16 = 6380

  @Option(
    help: """
      When changes are brought to the disk: always, before they are acknowledged; everysec, once a \
      second; no, when the kernel likes to.
      """)
  var sync = SyncPolicy.always

  @Option(help: "The most clients at a time, 1 to 100000.")
  var maxClients = 10_000

  @Option(
    help: "The log is rewritten when it is so many times what a new one would take, 2 to 100.")
  var rewriteRatio = 2

  @Option(help: "The size in bytes below which the log is not rewritten.")
  var rewriteMinimum = 64 * 1024 * 1024

  func validate() throws {
    guard (1...100_000).contains(maxClients) else {
      throw ValidationError("--max-clients is a number from 1 to 100000")
    }
    guard (2...100).contains(rewriteRatio) else {
      throw ValidationError("--rewrite-ratio is a number from 2 to 100")
    }
    guard rewriteMinimum >= 0 else {
      throw ValidationError("--rewrite-minimum is a number of bytes, 0 or more")
    }
  }

  static func main() { start() }

  /// Descriptors for everything but the clients.
  private static let ownDescriptorCount = 128

  func run() throws {
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    let logger = Logger(label: "aio-kv")
    // A file that may not grow any further is an answer to one client, not the end of the process.
    signal(SIGXFSZ, SIG_IGN)
    // Nor is a reader of the log that has gone.
    signal(SIGPIPE, SIG_IGN)
    raiseDescriptorLimit(to: maxClients + Self.ownDescriptorCount)
    guard let address = SocketAddress(host: host == "localhost" ? "127.0.0.1" : host, port: port)
    else {
      throw StartFailure("cannot listen on \"\(host)\": this is not an address")
    }
    let loop: EventLoop
    do throws(Errno) {
      loop = try EventLoop()
    } catch {
      throw StartFailure("cannot make an event loop: \(error)")
    }
    let log = try openLog(on: loop, logger)
    let server = Server(log, clientLimit: maxClients, logger)
    let listening: SocketAddress
    do throws(Errno) {
      listening = try server.listen(on: address)
    } catch {
      throw StartFailure("cannot listen on \(address): \(error)")
    }
    endPolitely(server, loop)
    // The one line of standard output says that clients are welcome, so nothing may hold it back.
    print("listening on redis://\(listening)")
    fflush(nil)
    loop.run()
  }

  private func openLog(on loop: EventLoop, _ logger: Logger) throws -> Log {
    var configuration = Log.Configuration()
    configuration.syncPolicy = sync
    configuration.rewriteRatio = rewriteRatio
    configuration.rewriteMinimumByteCount = rewriteMinimum
    var opened: Result<Log, StartFailure>?
    DataFolder.open(FilePath(dir), writesThrough: sync == .always, on: loop) { result in
      switch result {
      case .failure(let error): opened = .failure(error)
      case .success(let folder):
        LogReplay.begin(folder, logger) { result in
          opened = result.map {
            Log($0.file, end: $0.end, in: folder, $0.database, configuration, logger)
          }
        }
      }
    }
    loop.run(until: { opened != nil })
    guard let opened else { throw StartFailure("the loop was stopped") }
    return try opened.get()
  }

  /// The first signal, or a client's SHUTDOWN, lets running answers end; the second does not wait
  /// for them.
  private func endPolitely(_ server: Server, _ loop: EventLoop) {
    var isEnding = false
    let end = {
      guard !isEnding else { return loop.stop() }
      isEnding = true
      server.end { loop.stop() }
    }
    server.onShutDown = end
    for signal in [POSIXSignal.interrupt, .terminate] { loop.watch(signal, end) }
  }
}

extension SyncPolicy: ExpressibleByArgument {}
