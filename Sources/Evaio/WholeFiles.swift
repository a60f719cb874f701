package import CEvaio
internal import PosixAIO
internal import Reactor
internal import SystemPackage

@c @implementation
package func evaio_read_file(
  _ aio: OpaquePointer?, _ dir: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ limit: Int,
  _ cb: evaio_buffer_cb?, _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  let place = unsafe Place(aio, dir, path, "evaio_read_file")
  guard let cb = unsafe cb else { trap("evaio_read_file: the callback is NULL") }
  let receiver = unsafe BufferReceiver(callback: cb, argument: arg)
  let limit = Int(clampingSize: limit)
  return place.attachment.works.add { whenDone in
    let handler: File.ContentsHandler = { result in
      whenDone()
      switch consume result {
      case .success(let buffer): receiver.receive(buffer)
      case .failure(let error): receiver.receive(error)
      }
    }
    let work =
      place.directory?.contents(of: place.path, maximumByteCount: limit, handler)
      ?? File.contents(of: place.path, maximumByteCount: limit, on: place.loop, handler)
    return work.canceling
  }
}

@c @implementation
package func evaio_replace_file(
  _ aio: OpaquePointer?, _ dir: OpaquePointer?, _ path: UnsafePointer<CChar>?,
  _ data: OpaquePointer?, _ mode: Int32, _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  let place = unsafe Place(aio, dir, path, "evaio_replace_file")
  let receiver = unsafe Receiver(cb, arg)
  let box: MoveBox<IOBuffer>
  do throws(Errno) {
    guard mode == -1 || (0...0o7777).contains(mode) else { throw .invalidArgument }
    box = MoveBox(try unsafe MovedBuffer.move(data, "evaio_replace_file"))
  } catch {
    place.loop.core.refuse(.write, place.path, error) { receiver.receive($0 as Result<Void, _>) }
    return 0
  }
  let permissions = mode == -1 ? nil : FilePermissions(rawValue: mode_t(mode))
  return place.attachment.works.add { whenDone in
    let handler = { (result: Result<Void, FileError>) in
      whenDone()
      receiver.receive(result)
    }
    let work =
      place.directory?.replace(
        place.path, with: box.take(), permissions: permissions, handler)
      ?? File.replace(
        place.path, with: box.take(), permissions: permissions, on: place.loop, handler)
    return work.canceling
  }
}
