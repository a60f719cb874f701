internal import CLibevent

/// What is to be sent of an answer that goes past evhttp.
///
/// That happens at the end of the turn: the head and the first piece then go out as one, and so do
/// the answers to all who asked in this turn, one behind the other. Sent each as soon as it is
/// there, each would wake a client up that has had the time to fall asleep.
@safe
struct DirectAnswer {
  /// What libevent calls when the last byte is out.
  let writeCallback: bufferevent_data_cb?

  /// Whether the loop is to call ``Exchange``.
  var isDue = false

  private var head: [UInt8]
  private var piece: OutgoingPiece?

  init(head: [UInt8], _ writeCallback: bufferevent_data_cb?) {
    self.head = head
    unsafe self.writeCallback = writeCallback
  }

  /// Adds a small body, which is copied.
  mutating func add(_ body: some Collection<UInt8>) {
    head += body
  }

  /// Adds a piece. One that waits goes out before.
  mutating func add(_ piece: OutgoingPiece, _ connection: HTTPConnection) {
    if self.piece != nil { send(connection) }
    self.piece = piece
  }

  mutating func send(_ connection: HTTPConnection) {
    guard !head.isEmpty || piece != nil else { return }
    let (head, piece) = (head, piece)
    (self.head, self.piece) = ([], nil)
    connection.send(head, piece)
  }

  /// There is nobody to send it to.
  mutating func drop() {
    piece?.skipped()
    piece = nil
  }
}
