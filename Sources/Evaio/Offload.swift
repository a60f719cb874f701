package import CEvaio
internal import PosixAIO
internal import Reactor
internal import SystemPackage

@c @implementation
package func evaio_offload(
  _ aio: OpaquePointer?, _ work: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?,
  _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) {
  let loop = unsafe attachment(aio, "evaio_offload").loop
  guard let work = unsafe work else { trap("evaio_offload: the work is NULL") }
  let receiver = unsafe Receiver(cb, arg)
  // C has passed the argument to be used on another thread.
  let call = unsafe CallWithArgument(function: work, argument: arg)
  loop.offload {
    call.perform()
  } _: { result in
    receiver.receive(
      result.mapError { FileError(operation: .offloadedWork, path: nil, errno: $0) })
  }
}

@safe
private struct CallWithArgument: @unchecked Sendable {
  let function: @convention(c) (UnsafeMutableRawPointer?) -> Void
  let argument: UnsafeMutableRawPointer?

  func perform() { unsafe function(argument) }
}

extension FileError.Operation {
  fileprivate static let offloadedWork = FileError.Operation("offloaded work")
}
