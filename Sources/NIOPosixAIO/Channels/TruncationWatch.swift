#if NIO
  internal import NIOCore

  /// Checks the files of regions that channels have for longer than a moment.
  ///
  /// `sendfile(2)` returns 0 for a file that has become shorter. NIO takes that for a full socket,
  /// and tries again in every turn.
  final class TruncationWatch {
    /// The time between two checks.
    static let interval = TimeAmount.milliseconds(250)

    private let eventLoop: any EventLoop
    private var senders: [ObjectIdentifier: FileSender] = [:]
    private var isScheduled = false

    init(on eventLoop: any EventLoop) {
      self.eventLoop = eventLoop
    }

    func watch(_ sender: FileSender) {
      senders[ObjectIdentifier(sender)] = sender
      schedule()
    }

    func forget(_ sender: FileSender) {
      senders[ObjectIdentifier(sender)] = nil
    }

    private func schedule() {
      guard !isScheduled, !senders.isEmpty else { return }
      isScheduled = true
      // When the loop ends, its channels give the regions back.
      eventLoop.assumeIsolated().scheduleTask(in: Self.interval) { [self] in
        isScheduled = false
        // A copy, since a check may end a send.
        for sender in Array(senders.values) { sender.checkForTruncation() }
        schedule()
      }
    }
  }
#endif
