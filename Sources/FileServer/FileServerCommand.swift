import ArgumentParser
import Glibc
import Logging
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// `aio-fileserver`: serves a folder over HTTP, its files read and written by asynchronous IO on
/// one thread.
@main
struct FileServerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "aio-fileserver",
    abstract: "Serves the files of a folder over HTTP/1.1, with uploads if asked for.")

  @Option(help: "The folder to serve. Nothing outside of it is ever sent.")
  var root: String

  @Option(help: "The address to listen on.")
  var host = "127.0.0.1"

  @Option(help: "The port to listen on; 0 takes a free one.")
  var port: UInt16 = 8080

  @Flag(help: "Lets clients make and replace files by PUT.")
  var upload = false

  @Option(
    help: """
      The largest upload, in bytes. An upload is held in memory until it has arrived whole, so \
      this bounds the memory of each client that uploads.
      """)
  var maxUpload = 64 * 1024 * 1024

  /// No machine holds more in memory; and sums with what is near the largest number overflow.
  private static let maximumMaxUpload = 1 << 40

  func validate() throws {
    guard (0...Self.maximumMaxUpload).contains(maxUpload) else {
      throw ValidationError(
        "--max-upload is a number of bytes, from 0 to \(Self.maximumMaxUpload)")
    }
  }

  /// As `ParsableCommand.main()`, with one line instead of a page for whatever keeps the server
  /// from running.
  static func main() {
    do {
      try parse().run()
    } catch {
      let code = exitCode(for: error)
      guard !code.isSuccess else { exit(withError: error) }
      printToStandardError("aio-fileserver: \(message(for: error))")
      exit(withError: code)
    }
  }

  func run() throws {
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    // A file that may not grow any further is an answer to one client, not the end of the process.
    signal(SIGXFSZ, SIG_IGN)
    let loop: EventLoop
    do throws(Errno) {
      loop = try EventLoop()
    } catch {
      throw StartFailure("cannot make an event loop: \(error)")
    }
    let folder = try openRoot(on: loop)
    let server = FileServer(
      folder: folder, maximumUploadByteCount: upload ? maxUpload : nil,
      logger: Logger(label: "aio-fileserver"))
    let address = try server.listen(host: host, port: port)
    endPolitely(server, loop)
    // The one line of standard output says that clients are welcome, so nothing may hold it back.
    print("listening on http://\(address)")
    fflush(nil)
    loop.run()
  }

  private func openRoot(on loop: EventLoop) throws -> Directory {
    var opened: Result<Directory, FileError>?
    Directory.open(FilePath(root), on: loop) { result in
      opened = result
      loop.stop()
    }
    loop.run()
    switch opened {
    case .success(let folder): return folder
    case .failure(let error): throw StartFailure("cannot serve \"\(root)\": \(error.errno)")
    case nil: throw StartFailure("cannot serve \"\(root)\": the loop was stopped")
    }
  }

  /// The first signal lets running answers end; the second one does not wait for them.
  private func endPolitely(_ server: FileServer, _ loop: EventLoop) {
    var isEnding = false
    for signal in [POSIXSignal.interrupt, .terminate] {
      loop.watch(signal) {
        guard !isEnding else { return loop.stop() }
        isEnding = true
        server.shutDown { loop.stop() }
      }
    }
  }
}

/// Why the server does not start, in one line.
struct StartFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

private func printToStandardError(_ text: String) {
  // An argument that is quoted in it may have line ends.
  let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
  // Standard error may be closed; there is nobody else to tell.
  _ = unsafe (line + "\n").withCString { unsafe write(STDERR_FILENO, $0, strlen($0)) }
}
