internal import CReactor
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// Sending file ranges between bytes in memory.
extension OutputBuffer {
  /// What follows the bytes that were gathered.
  private enum Next {
    /// More bytes in memory, or nothing.
    case more
    case file(OutgoingRange, byteCount: Int)
    case waiting
    case failed(OutgoingRange, PumpError.Reason)
  }

  /// The result of one send call.
  private struct Batch {
    var pieceCount = 0
    var byteCount = 0
    var sentByteCount = 0
    var reason: Errno?
    var next = Next.more
  }

  /// As ``send(to:isShared:)``. May need several calls, which together send no more than one call's
  /// limit, so that other sockets get their turn.
  mutating func sendWithRanges(to socket: Int32, _ isShared: Bool) -> Progress {
    // sendfile(2) has no MSG_DONTWAIT.
    let isCopying = isShared && !SocketCalls.isNonBlocking(socket)
    var room = Self.byteCountPerSend
    removeFirst(0)
    while room > 0 {
      if isEmpty { return .all }
      if let progress = sendBatch(to: socket, isCopying, &room) { return progress }
    }
    return isEmpty ? .all : .some
  }

  /// - Returns: Nil when more may be sent at once.
  private mutating func sendBatch(
    to socket: Int32, _ isCopying: Bool, _ room: inout Int
  ) -> Progress? {
    let batch = sendMemory(to: socket, isCopying, room)
    if let reason = batch.reason { return Self.progress(reason) }
    removeFirst(batch.sentByteCount)
    room -= batch.sentByteCount
    guard batch.sentByteCount == batch.byteCount else { return .some }
    switch batch.next {
    case .more: return nil
    case .waiting: return .waitsForFile
    case .failed(let range, let reason):
      remove(range, reason)
      return .broken(reason)
    case .file(let range, let byteCount):
      return sendFile(range, byteCount, to: socket, &room)
    }
  }

  private mutating func sendFile(
    _ range: OutgoingRange, _ byteCount: Int, to socket: Int32, _ room: inout Int
  ) -> Progress? {
    do throws(Errno) {
      guard let count = try range.send(byteCount, to: socket) else { return nil }
      sentByteCount += Int64(count)
      room -= count
      removeFirst(0)
      return count < byteCount ? .some : nil
    } catch {
      return Self.progress(error)
    }
  }

  /// Sends the bytes in memory, up to the next bytes that are not. The next step is found first, so
  /// that the kernel holds back these bytes (`MSG_MORE`) only when file bytes follow at once.
  private func sendMemory(to socket: Int32, _ isCopying: Bool, _ room: Int) -> Batch {
    let most = min(Self.pieceCountPerSend, earlier.count - firstEarlier + 1)
    return unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: most) { vectors in
      var batch = Batch()
      var index = firstEarlier
      while batch.pieceCount < most, batch.byteCount < room, index <= earlier.count,
        let piece = index < earlier.count ? earlier[index] : last
      {
        let left = room - batch.byteCount
        let next = unsafe bytes(of: piece, isCopying, left, &batch.next)
        guard let bytes = unsafe next else { break }
        index += 1
        guard unsafe !bytes.isEmpty else { continue }
        let base = unsafe UnsafeMutableRawPointer(mutating: bytes.baseAddress)
        unsafe vectors.initializeElement(
          at: batch.pieceCount, to: iovec(iov_base: base, iov_len: bytes.count))
        batch.pieceCount += 1
        batch.byteCount += bytes.count
        if let range = piece.range, !range.isInMemory { break }
      }
      guard batch.pieceCount > 0, let first = vectors.baseAddress else { return batch }
      let count =
        if case .file = batch.next {
          unsafe creactor_send_before_more(socket, first, batch.pieceCount)
        } else {
          unsafe creactor_send(socket, first, batch.pieceCount)
        }
      if count < 0 { batch.reason = Errno.ofLastCall } else { batch.sentByteCount = count }
      return batch
    }
  }

  /// - Returns: A piece's next bytes; nil when they are not in memory, and then `next` says why.
  private func bytes(
    of piece: Piece, _ isCopying: Bool, _ room: Int, _ next: inout Next
  ) -> UnsafeRawBufferPointer? {
    guard let range = piece.range else { return unsafe piece.unsent(atMost: room) }
    switch range.prepare(isCopying: isCopying) {
    case .bytes: return unsafe range.bytes(atMost: room)
    case .ended: return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    case .file(let byteCount): next = .file(range, byteCount: min(byteCount, room))
    case .waiting: next = .waiting
    case .failed(let reason): next = .failed(range, reason)
    }
    return nil
  }
}
