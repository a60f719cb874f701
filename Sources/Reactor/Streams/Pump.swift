public import PosixAIO
public import SystemPackage

/// A transfer between a file and a connection.
///
/// The reader's or writer's sizes limit the bytes in memory: the slower side holds up the other.
///
/// A pump continues even if you drop it. When its loop ends, its connection is closed, so its
/// handler gets ``PumpError/Reason/connection(_:)`` with the number of bytes transferred.
@safe
public final class Pump: @unchecked Sendable {
  /// Called with the number of bytes transferred, or with why not all of them were.
  public typealias Handler = (Result<Int64, PumpError>) -> Void

  private let direction: any PumpDirection

  init(starting direction: any PumpDirection) {
    self.direction = direction
    direction.start()
  }

  /// Stops the pump. Its handler gets ``PumpError/Reason/canceled`` if it has no result yet.
  public func cancel() {
    direction.cancel()
  }
}

/// The direction of a pump: from a file or to one.
protocol PumpDirection: AnyObject {
  /// Starts the transfer, which continues even if this object is dropped.
  func start()

  /// See ``Pump/cancel()``.
  func cancel()
}

/// The error of a pump that stopped before its end.
public struct PumpError: Error, Equatable, Sendable {
  /// The cause.
  public enum Reason: Equatable, Sendable {
    /// ``Pump/cancel()`` was called, or the task was cancelled.
    case canceled
    /// The file could not be read or written.
    case file(FileError)
    /// The file became shorter than the range to send.
    case endOfFile
    /// The connection closed, or the peer sent fewer bytes than requested.
    case connection(Connection.CloseReason)
  }

  /// The number of bytes transferred: into the file, or to the kernel's side of the socket.
  public let byteCountDone: Int64

  /// Why it stopped.
  public let reason: Reason

  /// The path of the file; nil for a range of ``Connection/write(_:_:configuration:_:)``, whose
  /// caller knows it.
  public let path: FilePath?

  /// The address of the connection's peer; nil where ``path`` is, and for the body of a request
  /// whose connection has closed.
  public let peer: SocketAddress?

  package init(
    _ reason: Reason, byteCountDone: Int64, path: FilePath? = nil, peer: SocketAddress? = nil
  ) {
    self.reason = reason
    self.byteCountDone = byteCountDone
    self.path = path
    self.peer = peer
  }

  /// The same error with the names of both sides.
  func naming(_ path: FilePath, _ peer: SocketAddress?) -> PumpError {
    PumpError(reason, byteCountDone: byteCountDone, path: path, peer: peer)
  }
}

extension PumpError: CustomStringConvertible {
  /// One line, such as
  /// `pump "a.txt" 127.0.0.1:80: the connection was closed: endOfInput (512 bytes done)`.
  public var description: String {
    let text =
      switch reason {
      case .canceled: "canceled"
      case .file(let error): "\(error)"
      case .endOfFile: "the file has become shorter"
      case .connection(let reason): "the connection was closed: \(reason)"
      }
    let names = (path.map { " \"\($0)\"" } ?? "") + (peer.map { " \($0)" } ?? "")
    return "pump\(names): \(text) (\(byteCountDone) bytes done)"
  }
}

extension File {
  /// Sends the file's bytes to a connection as fast as it takes them, after earlier writes and
  /// before later ones, as ``Connection/write(_:_:configuration:_:)`` does.
  ///
  /// The connection and the file stay open. If the file cannot be read, the connection sends
  /// nothing more; then close it.
  ///
  /// - Parameters:
  ///   - range: The range in bytes from the file's start; nil sends the whole file. If it extends
  ///     beyond the file's end, the pump sends the bytes that exist, and its count tells how many.
  ///   - connection: Of the same loop; otherwise it traps.
  ///   - configuration: How far to read ahead bytes that are not in the page cache.
  ///   - handler: Called once: with the number of bytes when the kernel has taken everything, or
  ///     with an error that says how many it took. After a cancellation the rest is skipped, and
  ///     output written after it follows.
  /// - Returns: The pump, to cancel it.
  @discardableResult
  public func send(
    _ range: Range<Int64>? = nil, to connection: Connection,
    configuration: FileReader.Configuration = FileReader.Configuration(),
    _ handler: @escaping Pump.Handler
  ) -> Pump {
    Pump(
      starting: OutgoingPump(
        self, range ?? 0..<Int64.max, to: connection, configuration, handler))
  }

  /// Writes a connection's input to the file as fast as the file takes it.
  ///
  /// The connection must have no receive handler meanwhile. It stays open, and so does the file.
  /// Input beyond the requested bytes stays with the connection.
  ///
  /// - Parameters:
  ///   - connection: Of the same loop; otherwise it traps.
  ///   - byteCount: The number of bytes, 0 or more; if fewer arrive, the pump fails. Nil takes all
  ///     input until the peer ends its side.
  ///   - offset: The offset of the first byte, in bytes from the file's start, 0 or more. A file
  ///     opened with `.append` ignores it.
  ///   - durably: Whether the bytes must be on the disk at the end.
  ///   - configuration: How many bytes to collect for a write, and how many may wait.
  ///   - handler: Called once: with the number of bytes when everything is in the file, or with an
  ///     error that says how many are.
  /// - Returns: The pump, to cancel it.
  @discardableResult
  public func receive(
    from connection: Connection, byteCount: Int64? = nil, at offset: Int64 = 0,
    durably: Bool = false, configuration: FileWriter.Configuration = FileWriter.Configuration(),
    _ handler: @escaping Pump.Handler
  ) -> Pump {
    require((byteCount ?? 0) >= 0, "File: a number of bytes must be 0 or more")
    return Pump(
      from: connection, to: self, byteCount: byteCount, at: offset, durably: durably,
      configuration: configuration, handler)
  }
}

extension Pump {
  /// Writes a source's bytes to a file. The parameters are those of
  /// ``File/receive(from:byteCount:at:durably:configuration:_:)``.
  package convenience init(
    from source: any ByteSource, to file: File, byteCount: Int64?, at offset: Int64, durably: Bool,
    configuration: FileWriter.Configuration, _ handler: @escaping Handler
  ) {
    require(source.core === file.core, "File: the input of another loop cannot be received")
    let writer = FileWriter(file, at: offset, configuration: configuration)
    self.init(
      starting: IncomingPump(
        source, to: writer, byteCount: byteCount ?? .max, mayEndEarlier: byteCount == nil,
        durably: durably, handler))
  }
}
