internal import PosixAIO
internal import SystemPackage

/// A pump from a file to a connection: a range in the connection's output that can be cancelled.
@safe
final class OutgoingPump: PumpDirection {
  private let file: File
  private let range: Range<Int64>
  private let connection: Connection
  private let configuration: FileReader.Configuration
  private let handler: Pump.Handler
  private var outgoing: OutgoingRange?

  init(
    _ file: File, _ range: Range<Int64>, to connection: Connection,
    _ configuration: FileReader.Configuration, _ handler: @escaping Pump.Handler
  ) {
    self.file = file
    self.range = range
    self.connection = connection
    self.configuration = configuration
    self.handler = handler
  }

  func start() {
    let whenSent: Pump.Handler = { [self] result in
      outgoing = nil
      handler(result.mapError { $0.naming(file.path, connection.peerAddress) })
    }
    guard connection.acceptsRange(of: file, whenSent) else { return }
    let range = OutgoingRange(file, range, mayEndEarlier: true, configuration, whenSent)
    outgoing = range
    connection.write(range)
  }

  func cancel() {
    let core = file.core
    guard !core.hasEnded else { return }
    core.checkThread()
    core.callNextTurn { [self] in
      if let outgoing { connection.cancel(outgoing) }
    }
  }
}
