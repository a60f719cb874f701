internal import CLibevent
internal import CLibeventExtra
internal import Reactor
internal import Synchronization

// evhttp's callbacks. Each finds the object that it is for, and calls one of its methods. No
// context is retained: a server frees evhttp, and with it all callbacks, in its `deinit`, and it
// holds the objects of its connections until evhttp has closed them.

func setCallbacks(of http: OpaquePointer, to server: HTTPServer) {
  let context = unsafe Unmanaged.passUnretained(server).toOpaque()
  unsafe evhttp_set_bevcb(http, onAccept, context)
  unsafe evhttp_set_gencb(http, onRequest, context)
}

func setCallbacks(of evhttpConnection: OpaquePointer, to connection: HTTPConnection) {
  let context = unsafe Unmanaged.passUnretained(connection).toOpaque()
  unsafe evhttp_connection_set_closecb(evhttpConnection, onClose, context)
  unsafe evbuffer_add_cb(
    bufferevent_get_input(connection.stream), onInput, context)
}

func removeInputCallback(of connection: HTTPConnection) {
  let context = unsafe Unmanaged.passUnretained(connection).toOpaque()
  unsafe evbuffer_remove_cb(bufferevent_get_input(connection.stream), onInput, context)
}

func setCallbacks(of request: OpaquePointer, to exchange: Exchange) {
  let context = unsafe Unmanaged.passUnretained(exchange).toOpaque()
  unsafe evhttp_request_set_on_complete_cb(request, onComplete, context)
}

/// Adds the memory of a piece to a buffer, from one of its bytes on, which keeps the piece until it
/// is done with it.
///
/// Here a piece is retained, and in `onReferenceReleased` it is released; libevent calls that
/// exactly once, whether the bytes were sent or thrown away. Wraps `evbuffer_add_reference`.
func addReference(to piece: OutgoingPiece, from start: Int = 0, in buffer: OpaquePointer?) {
  let bytes = unsafe UnsafeRawBufferPointer(rebasing: piece.valid[start...])
  let context = unsafe Unmanaged.passRetained(piece)
  let result = unsafe evbuffer_add_reference(
    buffer, bytes.baseAddress, bytes.count, onReferenceReleased, context.toOpaque())
  guard result == 0 else { outOfMemory() }
}

private func onReferenceReleased(
  _: UnsafeRawPointer?, _: Int, _ context: UnsafeMutableRawPointer?
) {
  let piece = unsafe recover(OutgoingPiece.self, context)
  unsafe Unmanaged.passUnretained(piece).release()
  piece.released()
}

private func onAccept(
  _: OpaquePointer?, _ context: UnsafeMutableRawPointer?
) -> OpaquePointer? {
  unsafe recover(HTTPServer.self, context).connectionAccepted()
}

private func onRequest(_ request: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
  guard let request = unsafe request else { return }
  let server = unsafe recover(HTTPServer.self, context)
  server.core.performCallback { unsafe server.requestReceived(request) }
}

private func onClose(_: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
  unsafe recover(HTTPConnection.self, context).closed()
}

private func onInput(
  _: OpaquePointer?, _ change: UnsafePointer<evbuffer_cb_info>?,
  _ context: UnsafeMutableRawPointer?
) {
  let added = unsafe change?.pointee.n_added ?? 0
  unsafe recover(HTTPConnection.self, context).inputChanged(addedByteCount: added)
}

private func onComplete(_: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
  unsafe recover(Exchange.self, context).completed()
}

// evhttp takes the place of the listener's context, so this one callback gets evhttp itself and
// has to look up the server, among those that live.

private let servers = Mutex<[UInt: UInt]>([:])

func remember(_ http: OpaquePointer, of server: HTTPServer) {
  let context = unsafe UInt(bitPattern: Unmanaged.passUnretained(server).toOpaque())
  let key = UInt(bitPattern: http)
  servers.withLock { $0[key] = context }
}

func forget(_ http: OpaquePointer) {
  let key = UInt(bitPattern: http)
  servers.withLock { $0[key] = nil }
}

func onAcceptFailed(_: OpaquePointer?, _ http: UnsafeMutableRawPointer?) {
  let key = UInt(bitPattern: http)
  guard let context = servers.withLock({ $0[key] }) else { return }
  unsafe recover(HTTPServer.self, UnsafeMutableRawPointer(bitPattern: context)).acceptFailed()
}
