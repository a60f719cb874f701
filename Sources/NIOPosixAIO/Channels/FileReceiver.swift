#if NIO
  internal import NIOCore
  internal import PosixAIO
  internal import SystemPackage

  /// How much a transfer into a file has in progress.
  enum ReceiveLimits {
    /// The bytes after which no more are taken until some are written.
    static let byteCount = 1024 * 1024

    /// The buffers after which no more are taken. Their memory may be larger than their bytes.
    static let bufferCount = 64
  }

  /// Writes buffers to a file in their order, several at a time. It belongs to the file's loop.
  @safe
  final class FileReceiver {
    private let file: LoopFile
    private let isDurable: Bool
    private var offset: Int64
    private var inFlightCount = 0
    private var inFlightByteCount = 0
    private(set) var doneByteCount: Int64 = 0
    private(set) var failure: FileError?

    /// Called when there is room again, and when a write has failed.
    var onRoom: (() -> Void)?
    private var onIdle: (() -> Void)?

    init(_ file: LoopFile, at offset: Int64, durably: Bool) {
      require(offset >= 0, "LoopFile: an offset must be 0 or more")
      self.file = file
      self.offset = offset
      isDurable = durably
    }

    /// Whether another buffer may be written. One of any size may.
    var hasRoom: Bool {
      inFlightByteCount < ReceiveLimits.byteCount && inFlightCount < ReceiveLimits.bufferCount
    }

    /// Starts to write a buffer, unless a write before it has failed.
    func write(_ buffer: ByteBuffer) {
      let byteCount = buffer.readableBytes
      guard byteCount > 0, failure == nil else { return }
      inFlightCount += 1
      inFlightByteCount += byteCount
      let written = file.write(contentsOf: buffer, toAbsoluteOffset: offset)
      offset += Int64(byteCount)
      written.assumeIsolated().whenComplete { [self] result in
        inFlightCount -= 1
        inFlightByteCount -= byteCount
        switch result {
        case .success: doneByteCount += Int64(byteCount)
        case .failure(let error): fail(error, .write)
        }
        if hasRoom || failure != nil { onRoom?() }
        if inFlightCount == 0 { onIdle.take()?() }
      }
    }

    /// Waits for the writes, and for the sync that was asked for.
    ///
    /// - Parameters:
    ///   - reason: Why the transfer ends early; nil if all bytes were taken. Then there is no sync.
    ///   - completion: Called once.
    func finish(
      _ reason: FileTransferError.Reason?,
      _ completion: @escaping (Result<Int64, FileTransferError>) -> Void
    ) {
      onRoom = nil
      onIdle = { [self] in
        guard isDurable, reason == nil, failure == nil else {
          return completion(outcome(reason))
        }
        synchronize { [self] in completion(outcome(nil)) }
      }
      if inFlightCount == 0 { onIdle.take()?() }
    }

    private func outcome(
      _ reason: FileTransferError.Reason?
    ) -> Result<Int64, FileTransferError> {
      guard let reason = failure.map({ .file($0) }) ?? reason else {
        return .success(doneByteCount)
      }
      return .failure(FileTransferError(reason, byteCountDone: doneByteCount))
    }

    private func synchronize(_ completion: @escaping () -> Void) {
      do throws(Errno) {
        try file.queued.sync { [self] result in
          if case .failure(let error) = result { fail(error, .sync) }
          completion()
        }
      } catch {
        fail(FileError(operation: .sync, path: file.path, errno: error), .sync)
        completion()
      }
    }

    /// Keeps the first failure.
    private func fail(_ error: any Error, _ operation: FileError.Operation) {
      guard failure == nil else { return }
      failure =
        error as? FileError
        ?? FileError(operation: operation, path: file.path, errno: .ioError)
    }
  }
#endif
