/// Parses requests: arrays of bulk strings (RESP2), or inline commands, as typed into telnet.
///
/// The caller feeds it pieces of the stream, split anywhere. The parser keeps the unfinished part,
/// so it scans no byte twice, however large a request is. After an error it accepts nothing more.
struct RequestParser {
  /// The limits of a request.
  struct Limits: Sendable {
    /// Bytes of one argument.
    var bulkByteCount = 64 * 1024 * 1024
    /// Bytes of all arguments of a request together.
    var requestByteCount = 256 * 1024 * 1024
    /// Bytes of an inline command, and of the lines that hold counts and lengths.
    var lineByteCount = 64 * 1024
    /// Arguments of a request.
    var argumentCount = 1_048_576
    /// Describes refused counts and lengths in errors.
    fileprivate var refusal = "invalid"

    /// The limits of a client that has not given the password.
    static let unauthenticated: Limits = {
      var limits = Limits()
      limits.bulkByteCount = 16 * 1024
      limits.argumentCount = 10
      limits.refusal = "unauthenticated"
      return limits
    }()
  }

  /// The client broke the protocol. The connection must be closed, since the start of the next
  /// request is unknown.
  struct ProtocolError: Error, Equatable {
    /// The message in Redis's words, without "ERR Protocol error: ".
    let reason: String
  }

  private enum State {
    /// Before a request, or in its line.
    case start
    /// Before the length of an argument.
    case length
    /// In an argument, or in the line end after it.
    case argument(byteCount: Int)
    case failed(ProtocolError)
  }

  /// The capacity that is reserved for arguments before they arrive, at most.
  private static let reservedArgumentCount = 16

  /// Changes apply from the next count or length on.
  var limits: Limits
  private var state = State.start
  /// The part of a line that has arrived.
  private var line: Bytes = []
  private var missingCount = 0
  private var arguments: [Bytes] = []
  private var argument: Bytes = []
  /// The sum of the lengths that the client has announced for this request.
  private var byteCount = 0
  /// The bytes in `arguments`.
  private var argumentByteCount = 0

  init(limits: Limits = Limits()) {
    self.limits = limits
  }

  /// Parses the next request.
  ///
  /// - Parameters:
  ///   - bytes: A piece of the stream.
  ///   - offset: The index in `bytes` to start at; afterwards, the index after the last byte used.
  /// - Returns: The words of the request, at least one; nil if it used all bytes and the request is
  ///   incomplete.
  mutating func next(
    in bytes: borrowing RawSpan, at offset: inout Int
  ) throws(ProtocolError) -> [Bytes]? {
    do throws(ProtocolError) {
      while offset < bytes.byteCount {
        if try readPart(bytes, &offset) { return takeRequest() }
      }
      return nil
    } catch {
      state = .failed(error)
      (line, argument, arguments) = ([], [], [])
      argumentByteCount = 0
      throw error
    }
  }

  /// The bytes kept of an incomplete request.
  var heldByteCount: Int { line.count + argument.count + argumentByteCount }

  /// The memory of an incomplete request, in bytes: about 48 for each argument, and its bytes.
  var memoryByteCount: Int { heldByteCount + Self.argumentOverheadByteCount * arguments.count }

  /// An array's header and the reference to it.
  static let argumentOverheadByteCount = 48

  /// - Returns: Whether a request is complete. The functions for the parts return the same.
  private mutating func readPart(
    _ bytes: borrowing RawSpan, _ offset: inout Int
  ) throws(ProtocolError) -> Bool {
    switch state {
    case .start: try readStart(bytes, &offset)
    case .length: try readLength(bytes, &offset)
    case .argument(let byteCount): try readArgument(bytes, &offset, byteCount)
    case .failed(let error): throw error
    }
  }

  private mutating func takeRequest() -> [Bytes] {
    defer {
      state = .start
      arguments = []
      byteCount = 0
      argumentByteCount = 0
    }
    return arguments
  }

  // MARK: - The parts of a request

  private mutating func readStart(
    _ bytes: borrowing RawSpan, _ offset: inout Int
  ) throws(ProtocolError) -> Bool {
    let isArray = (line.first ?? bytes[offset]) == UInt8(ascii: "*")
    let reason = isArray ? "too big mbulk count string" : "too big inline request"
    guard isArray else {
      guard let line = try takeLine(bytes, &offset, orElse: reason) else { return false }
      return try takeWords(of: line)
    }
    let error = ProtocolError(reason: "invalid multibulk length")
    guard let count = try takeNumber(bytes, &offset, tooLong: reason, invalid: error) else {
      return false
    }
    guard count <= limits.argumentCount else {
      throw ProtocolError(reason: "\(limits.refusal) multibulk length")
    }
    // An empty request gets no reply.
    if count > 0 {
      missingCount = Int(count)
      // The count is only the client's claim, so reserve little.
      arguments.reserveCapacity(min(missingCount, Self.reservedArgumentCount))
      state = .length
    }
    return false
  }

  private mutating func takeWords(of line: Bytes) throws(ProtocolError) -> Bool {
    guard let words = InlineWords.split(line) else {
      throw ProtocolError(reason: "unbalanced quotes in request")
    }
    guard words.count <= limits.argumentCount else {
      throw ProtocolError(reason: "\(limits.refusal) multibulk length")
    }
    arguments = words
    return !words.isEmpty
  }

  private mutating func readLength(
    _ bytes: borrowing RawSpan, _ offset: inout Int
  ) throws(ProtocolError) -> Bool {
    let lead = line.first ?? bytes[offset]
    guard lead == UInt8(ascii: "$") else {
      let shown = (0x20..<0x7F).contains(lead) ? String(UnicodeScalar(lead)) : "?"
      throw ProtocolError(reason: "expected '$', got '\(shown)'")
    }
    let error = ProtocolError(reason: "invalid bulk length")
    guard
      let length = try takeNumber(
        bytes, &offset, tooLong: "too big bulk count string", invalid: error)
    else { return false }
    guard length >= 0 else { throw error }
    guard length <= limits.bulkByteCount else {
      throw ProtocolError(reason: "\(limits.refusal) bulk length")
    }
    byteCount += Int(length)
    guard byteCount <= limits.requestByteCount else {
      throw ProtocolError(reason: "too big request")
    }
    state = .argument(byteCount: Int(length))
    return false
  }

  private mutating func readArgument(
    _ bytes: borrowing RawSpan, _ offset: inout Int, _ byteCount: Int
  ) throws(ProtocolError) -> Bool {
    // The line end after the argument counts too. Like Redis, the parser does not check its bytes.
    let wanted = byteCount + 2 - argument.count
    let present = min(wanted, bytes.byteCount - offset)
    if argument.isEmpty, present == wanted {
      arguments.append(bytes.copy(offset..<offset + byteCount))
    } else {
      unsafe bytes.withUnsafeBytes { bytes in
        unsafe argument.append(contentsOf: bytes[offset..<offset + present])
      }
      if present == wanted {
        argument.removeLast(2)
        arguments.append(argument)
        argument = []
      }
    }
    offset += present
    guard present == wanted else { return false }
    argumentByteCount += byteCount
    missingCount -= 1
    state = .length
    return missingCount == 0
  }

  /// Takes a line that holds a mark followed by a number.
  ///
  /// - Returns: The number; nil if the end of the line has not arrived.
  private mutating func takeNumber(
    _ bytes: borrowing RawSpan, _ offset: inout Int, tooLong reason: String, invalid: ProtocolError
  ) throws(ProtocolError) -> Int64? {
    let number: Int64?
    if line.isEmpty, let end = bytes.firstIndex(of: UInt8(ascii: "\n"), from: offset),
      end - offset <= limits.lineByteCount
    {
      // Usually the whole line is here: no copy.
      let hasReturn = end > offset && bytes[end - 1] == UInt8(ascii: "\r")
      number = bytes.integer(in: offset + 1..<max(offset + 1, hasReturn ? end - 1 : end))
      offset = end + 1
    } else {
      guard let line = try takeLine(bytes, &offset, orElse: reason) else { return nil }
      number = Bytes(line.dropFirst()).integer
    }
    guard let number else { throw invalid }
    return number
  }

  /// Takes bytes through the end of a line.
  ///
  /// - Returns: The line without its end; nil if the end has not arrived.
  private mutating func takeLine(
    _ bytes: borrowing RawSpan, _ offset: inout Int, orElse reason: String
  ) throws(ProtocolError) -> Bytes? {
    let end = bytes.firstIndex(of: UInt8(ascii: "\n"), from: offset)
    line += bytes.copy(offset..<(end ?? bytes.byteCount))
    guard line.count <= limits.lineByteCount else { throw ProtocolError(reason: reason) }
    offset = end.map { $0 + 1 } ?? bytes.byteCount
    guard end != nil else { return nil }
    defer { line = [] }
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    return line
  }
}
