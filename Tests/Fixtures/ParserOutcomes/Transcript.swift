// The parser is not public: only a build for debugging lets a test at it.
#if DEBUG
  @testable import ReactorHTTP

  /// What the parser makes of all that a client sends on one connection.
  struct Transcript: Equatable {
    struct Message: Equatable {
      let method: String
      let target: RequestTarget
      let minorVersion: Int
      let headerFields: HeaderFields
      let framing: BodyFraming
      let keepsAlive: Bool
      let expectsContinue: Bool
      var content: [UInt8] = []
      var trailerFields = HeaderFields()
      var isComplete = false
      /// Of the head; with the body once that is complete.
      var byteCount: Int

      init(_ head: RequestHead) {
        method = head.method.name
        target = head.target
        minorVersion = head.minorVersion
        headerFields = head.headerFields
        framing = head.framing
        keepsAlive = head.keepsAlive
        expectsContinue = head.expectsContinue
        byteCount = head.byteCount
      }
    }

    var messages: [Message] = []
    /// Why the connection is refused in the end.
    var error: RequestError?
    /// Whether a head has begun at the end of the input.
    var hasBegun = false

    /// Reads the input as it arrives.
    ///
    /// - Parameters:
    ///   - input: All that the client sends.
    ///   - pieces: The byte counts of what arrives at a time; the rest comes at once.
    ///   - limits: Of heads, and of trailers.
    ///   - messageCount: The most messages to read.
    init(
      _ input: [UInt8], in pieces: some Sequence<Int> = [], _ limits: HeadLimits = HeadLimits(),
      messageCount: Int = .max
    ) {
      var reader = MessageReader(limits, messageCount: messageCount)
      var arrived = 0
      for piece in Array(pieces) + [input.count] where arrived <= input.count && error == nil {
        let next = min(input.count, arrived + piece)
        reader.unread += input[arrived..<next]
        arrived = next
        do throws(RequestError) {
          try reader.readAll(into: &messages)
        } catch {
          self.error = error
        }
      }
      hasBegun = reader.parser.hasBegun
    }
  }

  /// Does with the parser what a connection does with it.
  struct MessageReader {
    var unread: [UInt8] = []
    private(set) var parser: HeadParser
    private var decoder: BodyDecoder?
    private var bodyByteCount = 0
    private let limits: HeadLimits
    private let messageCount: Int

    init(_ limits: HeadLimits, messageCount: Int) {
      self.limits = limits
      self.messageCount = messageCount
      parser = HeadParser(limits)
    }

    /// Adds what there is of messages; the last may be incomplete.
    mutating func readAll(into messages: inout [Transcript.Message]) throws(RequestError) {
      while true {
        if var decoder {
          let step = try decoder.decode(RawSpan(_elements: unread.span))
          let message = messages.count - 1
          messages[message].content += unread[step.content]
          bodyByteCount += step.consumedByteCount
          unread.removeFirst(step.consumedByteCount)
          messages[message].isComplete = decoder.isComplete
          messages[message].trailerFields = decoder.trailerFields
          if decoder.isComplete { messages[message].byteCount += bodyByteCount }
          self.decoder = decoder.isComplete ? nil : decoder
          if !decoder.isComplete, step.consumedByteCount == 0 { return }
        } else {
          guard messages.count < messageCount else { return }
          let bytes = unread
          guard let head = try parser.parse(RawSpan(_elements: bytes.span)) else { return }
          unread.removeFirst(head.byteCount)
          messages.append(Transcript.Message(head))
          bodyByteCount = 0
          decoder = BodyDecoder(head.framing, trailerLimits: limits)
        }
      }
    }
  }
#endif
