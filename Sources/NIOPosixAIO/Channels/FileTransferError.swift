#if NIO
  public import PosixAIO

  /// The error of a transfer between a file and a channel that stopped before its end.
  public struct FileTransferError: Error {
    /// The cause.
    public enum Reason: Sendable {
      /// The task was cancelled.
      case canceled
      /// The file could not be read or written.
      case file(FileError)
      /// The file is shorter than the range to send, or has become so meanwhile.
      case endOfFile
      /// The channel's input ended before the requested number of bytes.
      case endOfInput
      /// The channel failed or was closed, with this error of SwiftNIO.
      case channel(any Error)
    }

    /// The number of bytes transferred: into the file, or to the kernel's side of the socket. A
    /// piece of which the socket took only a part is not counted.
    public let byteCountDone: Int64

    /// Why it stopped.
    public let reason: Reason

    init(_ reason: Reason, byteCountDone: Int64) {
      self.byteCountDone = byteCountDone
      self.reason = reason
    }
  }

  extension FileTransferError: CustomStringConvertible {
    /// One line, such as `transfer: the file is shorter than the range (512 bytes done)`.
    public var description: String {
      let text =
        switch reason {
        case .canceled: "canceled"
        case .file(let error): "\(error)"
        case .endOfFile: "the file is shorter than the range"
        case .endOfInput: "the channel's input ended early"
        case .channel(let error): "the channel failed: \(error)"
        }
      return "transfer: \(text) (\(byteCountDone) bytes done)"
    }
  }
#endif
