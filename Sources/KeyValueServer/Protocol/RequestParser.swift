/// Takes requests apart: arrays of bulk strings (RESP2), or lines of words for people with telnet.
///
/// It is fed pieces of the stream as they come, cut anywhere, and keeps what is unfinished: no byte
/// is looked at twice, however large a request is. After an error it takes nothing any more.
struct RequestParser {
  /// The limits of a request.
  struct Limits: Sendable {
    /// Of one argument.
    var bulkByteCount = 64 * 1024 * 1024
    /// Of all arguments of a request together.
    var requestByteCount = 256 * 1024 * 1024
    /// Of a request that is a line, and of the lines that tell counts and lengths.
    var lineByteCount = 64 * 1024
    /// Of the arguments of a request.
    var argumentCount = 1_048_576
  }

  /// What a client has sent that is no request. Its connection has no future: nobody knows where
  /// the next request begins.
  struct ProtocolError: Error, Equatable {
    /// As Redis words it, without "ERR Protocol error: ".
    let reason: String
  }

  private enum State {
    /// Before a request, or in its line.
    case start
    /// Before the length of an argument.
    case length
    /// In an argument, or in the line end behind it.
    case argument(byteCount: Int)
    case failed(ProtocolError)
  }

  /// How many arguments are expected at most before they have come.
  private static let reservedArgumentCount = 16

  private let limits: Limits
  private var state = State.start
  /// The part of a line that has come.
  private var line: Bytes = []
  private var missingCount = 0
  private var arguments: [Bytes] = []
  private var argument: Bytes = []
  private var byteCount = 0

  init(limits: Limits = Limits()) {
    self.limits = limits
  }

  /// Gives the next request.
  ///
  /// - Parameters:
  ///   - bytes: A piece of the stream.
  ///   - offset: Where in it to begin; afterwards behind what was taken.
  /// - Returns: Its words, at least one; nil when all bytes are taken and it is not complete.
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
      throw error
    }
  }

  /// What is kept of a request that is not complete.
  var heldByteCount: Int {
    arguments.reduce(line.count + argument.count) { $0 + $1.count }
  }

  /// - Returns: Whether that was a whole request. The same is true of the parts.
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
    guard count <= limits.argumentCount else { throw error }
    // An empty request is none, and has no answer.
    if count > 0 {
      missingCount = Int(count)
      // The client only says that so many come.
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
      throw ProtocolError(reason: "invalid multibulk length")
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
    guard (0...limits.bulkByteCount).contains(Int(length)) else { throw error }
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
    // The line end behind it counts, too, and is taken on trust, as Redis does.
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
    missingCount -= 1
    state = .length
    return missingCount == 0
  }

  /// Takes a line with a mark and a number behind it.
  ///
  /// - Returns: The number; nil if the line's end has not come.
  private mutating func takeNumber(
    _ bytes: borrowing RawSpan, _ offset: inout Int, tooLong reason: String, invalid: ProtocolError
  ) throws(ProtocolError) -> Int64? {
    let number: Int64?
    if line.isEmpty, let end = bytes.firstIndex(of: UInt8(ascii: "\n"), from: offset),
      end - offset <= limits.lineByteCount
    {
      // All of it is here, as it mostly is: no copy.
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

  /// Takes bytes up to the end of a line.
  ///
  /// - Returns: The whole line, without its end; nil if that has not come.
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
