import ArgumentParser
import CKeyValue
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
    abstract: "A durable key-value server that speaks the Redis protocol.",
    discussion: "By default, every change is on disk before it is acknowledged.")

  @Option(
    help:
      "The directory of the log, created if it is missing. Only one server can use it at a time.")
  var dir: String

  @Option(help: "The numeric address to listen on, such as 127.0.0.1 or ::1.")
  var host = "127.0.0.1"

  @Option(
    help: """
      The password that clients must give. Other users of the machine can see it in the list of \
      processes; the environment variable \(Self.passwordVariable) hides it from them.
      """)
  var requirepass: String?

  @Flag(
    help: "Listen on an address other than loopback without a password.")
  var noPassword = false

  @Option(help: "The port to listen on; 0 chooses a free one.")
  var port: UInt16 = 6380

  @Option(
    help: """
      When changes are flushed to disk: always (before they are acknowledged), everysec (once a \
      second) or no (when the kernel chooses).
      """)
  var sync = SyncPolicy.always

  @Option(help: "The maximum number of clients, 1 to 100000.")
  var maxClients = Server.Limits().clientCount

  @Option(
    help: """
      The most bytes of replies to hold for a client that does not read them, 1048576 or more. \
      Above that, the client is disconnected.
      """)
  var maxClientOutput = Server.Limits().outputByteCount

  @Option(
    help: """
      The most bytes of replies and incomplete requests to hold for all clients together, 1048576 \
      or more. Above that, the clients with the most are disconnected.
      """)
  var maxClientsMemory = Server.Limits().memoryByteCount

  @Option(
    help: """
      The most bytes of memory for keys and values, which include an estimate for their \
      administration; 0 for no limit.
      """)
  var maxmemory = 0

  @Option(
    help: """
      What to do at the limit of --maxmemory: noeviction (refuse commands that may need memory) or \
      allkeys-random (remove random keys).
      """)
  var maxmemoryPolicy = Server.MemoryLimit.Policy.refusing

  @Option(
    help: "Rewrite the log when its size is this many times that of a new one, 2 to 100.")
  var rewriteRatio = 2

  @Option(help: "Do not rewrite a log that is smaller than this, in bytes.")
  var rewriteMinimum = 64 * 1024 * 1024

  private static let passwordVariable = "AIO_KV_REQUIREPASS"

  /// The password of the option or else of the environment; nil if neither has one.
  private var password: String? {
    let variable = unsafe getenv(Self.passwordVariable).map { unsafe String(cString: $0) }
    return [requirepass, variable].lazy.compactMap { $0 }.first { !$0.isEmpty }
  }

  func validate() throws {
    guard requirepass != "" else {
      throw ValidationError("--requirepass must not be empty")
    }
    guard password == nil || !noPassword else {
      throw ValidationError("--no-password contradicts a password")
    }
    guard (1...100_000).contains(maxClients) else {
      throw ValidationError("--max-clients must be a number from 1 to 100000")
    }
    guard min(maxClientOutput, maxClientsMemory) >= Server.Limits.smallestByteCount else {
      throw ValidationError(
        "--max-client-output and --max-clients-memory must be 1048576 bytes or more")
    }
    guard maxmemory >= 0 else {
      throw ValidationError("--maxmemory must be a number of bytes, 0 or more")
    }
    guard (2...100).contains(rewriteRatio) else {
      throw ValidationError("--rewrite-ratio must be a number from 2 to 100")
    }
    guard rewriteMinimum >= 0 else {
      throw ValidationError("--rewrite-minimum must be a number of bytes, 0 or more")
    }
  }

  static func main() { start() }

  /// Descriptors for everything except clients.
  private static let ownDescriptorCount = 128

  func run() throws {
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    let logger = Logger(label: "aio-kv")
    // A file at its size limit is an error for one client and must not end the process.
    signal(SIGXFSZ, SIG_IGN)
    // Neither must a closed pipe that the log messages go to.
    signal(SIGPIPE, SIG_IGN)
    ckeyvalue_spread_frees()
    raiseDescriptorLimit(to: maxClients + Self.ownDescriptorCount)
    let address = try checkedAddress()
    let loop: EventLoop
    do throws(Errno) {
      loop = try EventLoop()
    } catch {
      throw StartFailure("cannot create an event loop: \(error)")
    }
    let log = try openLog(on: loop, logger)
    let limits = Server.Limits(
      clientCount: maxClients, outputByteCount: maxClientOutput, memoryByteCount: maxClientsMemory)
    let server = Server(
      log, limits, memoryLimit: .init(byteCount: maxmemory, policy: maxmemoryPolicy),
      password: password.map { Bytes($0.utf8) },
      mustHavePassword: !address.isLoopback && !noPassword, logger)
    let listening: SocketAddress
    do throws(Errno) {
      listening = try server.listen(on: address)
    } catch {
      throw StartFailure("cannot listen on \(address): \(error)")
    }
    installShutdownHandlers(server, loop)
    // This line says that the server accepts clients, so it must not stay in a buffer.
    print("listening on redis://\(listening)")
    fflush(nil)
    loop.run()
  }

  /// The address to listen on, if clients of it are meant to have access.
  private func checkedAddress() throws(StartFailure) -> SocketAddress {
    guard let address = SocketAddress(host: host == "localhost" ? "127.0.0.1" : host, port: port)
    else {
      throw StartFailure("cannot listen on \"\(host)\": this is not a numeric address")
    }
    guard address.isLoopback || password != nil || noPassword else {
      throw StartFailure(
        "without a password aio-kv listens on loopback only: use --requirepass or "
          + "\(Self.passwordVariable) to set one, or --no-password")
    }
    return address
  }

  private func openLog(on loop: EventLoop, _ logger: Logger) throws -> Log {
    var configuration = Log.Configuration()
    configuration.syncPolicy = sync
    configuration.rewriteRatio = rewriteRatio
    configuration.rewriteMinimumByteCount = rewriteMinimum
    var opened: Result<Log, StartFailure>?
    DataDirectory.open(FilePath(dir), writesThrough: sync == .always, on: loop) { result in
      switch result {
      case .failure(let error): opened = .failure(error)
      case .success(let directory):
        LogReplay.begin(directory, logger) { result in
          opened = result.map {
            Log(
              $0.file, end: $0.end, $0.chain, in: directory, $0.database, configuration, logger)
          }
        }
      }
    }
    loop.run(until: { opened != nil })
    guard let opened else { throw StartFailure("the loop was stopped") }
    let log = try opened.get()
    guard log.chain.header.format != .chained else { return log }
    // Nothing is added to a log of the old format.
    log.convert()
    loop.run(until: { log.rewrite == nil && !log.isBusy })
    guard log.chain.header.format == .chained else {
      throw StartFailure("the log has format 1 and cannot be rewritten")
    }
    return log
  }

  /// The first signal, or a client's SHUTDOWN, ends the server after the running commands have
  /// their replies. A second one stops immediately.
  private func installShutdownHandlers(_ server: Server, _ loop: EventLoop) {
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

extension SocketAddress {
  /// Whether only this machine reaches the address: 127.0.0.0/8 or ::1.
  fileprivate var isLoopback: Bool {
    family == .ipv4
      ? description.hasPrefix("127.") : self == SocketAddress(host: "::1", port: port)
  }
}

extension SyncPolicy: ExpressibleByArgument {}
extension Server.MemoryLimit.Policy: ExpressibleByArgument {}
