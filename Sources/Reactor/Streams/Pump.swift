public import PosixAIO

/// Bytes on their way between a file and a connection.
///
/// What is in memory is bounded by the reader's or the writer's sizes: whoever is slow holds the
/// other up.
///
/// A pump goes on, kept or not. When its loop ends, its connection is closed, and so its handler
/// gets ``PumpError/Reason/connection(_:)`` with the bytes that got there.
@safe
public final class Pump: @unchecked Sendable {
  /// Gets the number of bytes that got there, or why it was not all of them.
  public typealias Handler = (Result<Int64, PumpError>) -> Void

  private let way: any PumpWay

  init(starting way: any PumpWay) {
    self.way = way
    way.start()
  }

  /// Stops it. Its handler gets ``PumpError/Reason/canceled``, unless it is done already.
  public func cancel() {
    way.cancel()
  }
}

/// What a pump does, from a file or to one.
protocol PumpWay: AnyObject {
  /// Starts it. It goes on, kept or not.
  func start()

  /// See ``Pump/cancel()``.
  func cancel()
}

/// Why a pump stopped before its end.
public struct PumpError: Error, Equatable, Sendable {
  /// What was in the way.
  public enum Reason: Equatable, Sendable {
    /// ``Pump/cancel()``, or the task was cancelled.
    case canceled
    /// The file could not be read or written.
    case file(FileError)
    /// The file has become shorter than the range that was to be sent.
    case endOfFile
    /// The connection was closed, or its peer sent less than was asked for.
    case connection(Connection.CloseReason)
  }

  /// The bytes that got there: into the file, or to the kernel's side of the socket.
  public let byteCountDone: Int64

  /// What was in the way.
  public let reason: Reason

  package init(_ reason: Reason, byteCountDone: Int64) {
    self.reason = reason
    self.byteCountDone = byteCountDone
  }
}

extension PumpError: CustomStringConvertible {
  /// One line, such as `pump: the connection was closed: endOfInput (512 bytes done)`.
  public var description: String {
    let text =
      switch reason {
      case .canceled: "canceled"
      case .file(let error): "\(error)"
      case .endOfFile: "the file has become shorter"
      case .connection(let reason): "the connection was closed: \(reason)"
      }
    return "pump: \(text) (\(byteCountDone) bytes done)"
  }
}

extension File {
  /// Sends the file's bytes to a connection, as fast as that takes them: behind what was written to
  /// it before, and before what is written to it afterwards, as
  /// ``Connection/write(_:_:configuration:_:)`` does.
  ///
  /// The connection stays open, and so does the file. When the file cannot be read, the connection
  /// sends nothing more, and is to be closed.
  ///
  /// - Parameters:
  ///   - range: In bytes from the file's start; nil is all of it. A range that ends behind the file
  ///     sends what there is, as the count tells.
  ///   - connection: Of the same loop.
  ///   - configuration: How far to read ahead what is not in the page cache.
  ///   - handler: Called once, when the kernel has taken everything: or with what got there before
  ///     it broke off. When cancelled, the rest is left out, and what was written behind it
  ///     follows.
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

  /// Writes what a connection receives to the file, as fast as that takes it.
  ///
  /// The connection has no receive handler meanwhile. It stays open, and so does the file. What was
  /// received and not asked for stays with the connection.
  ///
  /// - Parameters:
  ///   - connection: Of the same loop.
  ///   - byteCount: How many bytes, 0 or more; if fewer come, the outcome is a failure. Nil takes
  ///     all until the peer ends its side.
  ///   - offset: Where in the file, in bytes from its start, 0 or more. A file opened with
  ///     `.append` ignores it.
  ///   - durably: Whether the bytes are to be on the disk in the end.
  ///   - configuration: How much is collected for a write, and how much may wait.
  ///   - handler: Called once, when everything is in the file: or with what got there before it
  ///     broke off.
  /// - Returns: The pump, to cancel it.
  @discardableResult
  public func receive(
    from connection: Connection, byteCount: Int64? = nil, at offset: Int64 = 0,
    durably: Bool = false, configuration: FileWriter.Configuration = FileWriter.Configuration(),
    _ handler: @escaping Pump.Handler
  ) -> Pump {
    require((byteCount ?? 0) >= 0, "File: a number of bytes is 0 or more")
    return Pump(
      from: connection, to: self, byteCount: byteCount, at: offset, durably: durably,
      configuration: configuration, handler)
  }
}

extension Pump {
  /// Writes what a source has to a file. The parameters are those of
  /// ``File/receive(from:byteCount:at:durably:configuration:_:)``.
  package convenience init(
    from source: any ByteSource, to file: File, byteCount: Int64?, at offset: Int64, durably: Bool,
    configuration: FileWriter.Configuration, _ handler: @escaping Handler
  ) {
    let writer = FileWriter(file, at: offset, configuration: configuration)
    self.init(
      starting: IncomingPump(
        source, to: writer, byteCount: byteCount ?? .max, mayEndEarlier: byteCount == nil,
        durably: durably, handler))
  }
}
