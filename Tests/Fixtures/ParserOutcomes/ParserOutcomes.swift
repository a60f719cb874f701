#if DEBUG
  import Glibc

  @testable import ReactorHTTP

  /// Prints one line for each case of a file, as the drivers of other parsers do: see
  /// Tests/Fixtures/ParserPeers.
  @main
  enum ParserOutcomes {
    static func main() {
      guard CommandLine.arguments.count == 2,
        let file = unsafe fopen(CommandLine.arguments[1], "rb")
      else {
        print("usage: ParserOutcomes CASES")
        exit(2)
      }
      while let input = unsafe nextCase(file) {
        print(outcome(of: Transcript(input, messageCount: 1)))
      }
      unsafe fclose(file)
    }

    /// A case is its byte count, as four bytes of which the first counts least, and its bytes.
    private static func nextCase(_ file: UnsafeMutablePointer<FILE>) -> [UInt8]? {
      guard let head = unsafe bytes(4, from: file) else { return nil }
      let count = head.reversed().reduce(0) { $0 << 8 | Int($1) }
      return unsafe bytes(count, from: file)
    }

    private static func bytes(_ count: Int, from file: UnsafeMutablePointer<FILE>) -> [UInt8]? {
      var bytes = [UInt8](repeating: 0, count: count)
      let read = unsafe bytes.withUnsafeMutableBytes {
        unsafe fread($0.baseAddress, 1, count, file)
      }
      return read == count ? bytes : nil
    }

    /// Head, method, target, minor version, fields, keep-alive; body, content, trailer, byte count;
    /// reason. A and R: accepted and refused; I: incomplete.
    private static func outcome(of transcript: Transcript) -> String {
      let reason = transcript.error.map { "\($0.status.code) \($0.explanation)" } ?? ""
      let last = transcript.error == nil ? "I" : "R"
      guard let message = transcript.messages.first else {
        return ([last] + Array(repeating: "", count: 9) + [reason]).joined(separator: "\t")
      }
      let parts = [
        "A", message.method, hex(message.target.text.utf8), "\(message.minorVersion)",
        hex(message.headerFields), message.keepsAlive ? "1" : "0",
        message.isComplete ? "A" : last, hex(message.content), hex(message.trailerFields),
        message.isComplete ? "\(message.byteCount)" : "", message.isComplete ? "" : reason,
      ]
      return parts.joined(separator: "\t")
    }

    private static func hex(_ fields: HeaderFields) -> String {
      hex(fields.flatMap { Array("\($0.name.lowercased()):\($0.value)\n".utf8) })
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
      let digits = Array("0123456789abcdef")
      return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
  }
#else
  /// See Transcript.swift.
  @main
  enum ParserOutcomes {
    static func main() {
      fatalError("ParserOutcomes: the parser is open to it in a build for debugging only")
    }
  }
#endif
