package import CEvaio
internal import CLibevent
internal import PosixAIO
internal import Reactor
internal import SystemPackage

@c @implementation
package func evaio_send(
  _ aio: OpaquePointer?, _ file: OpaquePointer?, _ offset: Int64, _ size: Int64, _ socket: Int32,
  _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  let attachment = unsafe attachment(aio, "evaio_send")
  let file = unsafe openFile(file, "evaio_send")
  let destination = RangeSender.Destination.socket(FileDescriptor(rawValue: socket))
  return attachment.send(file, offset, size, to: destination, unsafe Receiver(cb, arg))
}

@c @implementation
package func evaio_send_bufferevent(
  _ aio: OpaquePointer?, _ file: OpaquePointer?, _ offset: Int64, _ size: Int64,
  _ bufferevent: OpaquePointer?, _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  let attachment = unsafe attachment(aio, "evaio_send_bufferevent")
  let file = unsafe openFile(file, "evaio_send_bufferevent")
  guard let bufferevent = unsafe bufferevent else {
    trap("evaio_send_bufferevent: the bufferevent is NULL")
  }
  let (theirs, ours) = unsafe (
    bufferevent_get_base(bufferevent), evaio_base_get_event_base(aio)
  )
  require(
    unsafe theirs == ours, "evaio_send_bufferevent: the bufferevent is of another event base")
  let output = unsafe BuffereventOutput(bufferevent, on: file.core)
  return attachment.send(file, offset, size, to: .target(output), unsafe Receiver(cb, arg))
}

extension Attachment {
  fileprivate func send(
    _ file: File, _ offset: Int64, _ size: Int64, to destination: RangeSender.Destination,
    _ receiver: Receiver
  ) -> evaio_id {
    require(file.core === loop.core, "evaio_send: the file belongs to another evaio base")
    let (end, overflows) = offset.addingReportingOverflow(size)
    guard offset >= 0, size >= 0, !overflows else {
      file.core.refuse(
        FileError.Operation("send"), file.path, at: offset, .invalidArgument
      ) { receiver.receive($0 as Result<Int, _>) }
      return 0
    }
    return works.add { whenDone in
      let sender = RangeSender(file, offset..<end, to: destination) { result in
        whenDone()
        receiver.receive(result)
      }
      return sender.cancel
    }
  }
}

/// The output buffer of a bufferevent, which sends it.
@safe
private final class BuffereventOutput: OutputTarget {
  /// The most bytes in the buffer, and the most at which more are added.
  private static let limit = 256 * 1024
  private static let lowWaterMark = 64 * 1024

  private let core: LoopCore
  private let bufferevent: OpaquePointer
  private let output: OpaquePointer
  private var callback: OpaquePointer?
  private var isAsking = false
  /// Others map the file, which ends the process if the file becomes shorter.
  let takesFiles: Bool

  /// Keeps the bufferevent until it is not used any more.
  init(_ bufferevent: OpaquePointer, on core: LoopCore) {
    self.core = core
    unsafe self.bufferevent = bufferevent
    unsafe bufferevent_incref(bufferevent)
    unsafe output = bufferevent_get_output(bufferevent)
    takesFiles = unsafe RangeSender.isOfSocket(bufferevent)
  }

  deinit { unsafe bufferevent_decref(bufferevent) }

  var room: Int {
    let count = unsafe evbuffer_get_length(output)
    return count > Self.lowWaterMark ? 0 : Self.limit - count
  }

  var whenRoom: (() -> Void)? {
    didSet {
      removeCallback()
      guard whenRoom != nil else { return }
      let context = unsafe Unmanaged.passUnretained(self).toOpaque()
      // Removed before this object goes: its user resets `whenRoom`.
      unsafe callback = evbuffer_add_cb(
        output,
        { _, info, context in
          guard let context = unsafe context, let info = unsafe info else { return }
          let output = unsafe Unmanaged<BuffereventOutput>.fromOpaque(context)
            .takeUnretainedValue()
          if unsafe info.pointee.n_deleted > 0 { output.drained() }
        }, context)
    }
  }

  /// Switches the callback off at once, and removes it in the next turn: libevent may be calling
  /// the callbacks of the buffer, and keep the next one's address meanwhile.
  private func removeCallback() {
    guard let callback = unsafe callback.take() else { return }
    unsafe evbuffer_cb_clear_flags(output, callback, UInt32(EVBUFFER_CB_ENABLED))
    core.callNextTurn { [self] in
      // At the end of the loop there is no turn in between. It goes with the buffer then.
      if !core.isEnding { unsafe evbuffer_remove_cb_entry(output, callback) }
    }
  }

  /// Called while libevent changes the buffer, so the rest comes in the next turn.
  private func drained() {
    guard !isAsking, room > 0 else { return }
    isAsking = true
    core.callNextTurn { [self] in
      isAsking = false
      whenRoom?()
    }
  }

  func take(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
    guard unsafe evbuffer_add(output, bytes.baseAddress, bytes.count) == 0 else {
      throw .noMemory
    }
  }

  func take(_ file: SharedDescriptor.Use, at offset: Int64, byteCount: Int) throws(Errno) {
    let segment = unsafe evbuffer_file_segment_new(
      file.rawValue, offset, Int64(byteCount), 0)
    guard let segment = unsafe segment else { throw .noMemory }
    // The descriptor stays open until libevent has sent the segment, or has dropped it.
    unsafe evbuffer_file_segment_add_cleanup_cb(
      segment,
      { _, _, use in
        guard let use = unsafe use else { return }
        unsafe Unmanaged<SharedDescriptor.Use>.fromOpaque(use).release()
      }, Unmanaged.passRetained(file).toOpaque())
    let status = unsafe evbuffer_add_file_segment(output, segment, 0, Int64(byteCount))
    unsafe evbuffer_file_segment_free(segment)
    guard status == 0 else { throw .noMemory }
  }
}
