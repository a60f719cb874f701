internal import PosixAIO

/// Objects pass through C as opaque pointers, each of which holds one reference. C gives back each
/// handle once, and uses none after that; the header says so.

/// - Returns: A handle, to be taken back by ``takeObject(_:as:_:)``.
@unsafe
func makeHandle(_ object: AnyObject) -> OpaquePointer {
  unsafe OpaquePointer(Unmanaged.passRetained(object).toOpaque())
}

/// - Returns: A handle that is valid as long as the object.
@unsafe
func makeBorrowedHandle(_ object: AnyObject) -> OpaquePointer {
  unsafe OpaquePointer(Unmanaged.passUnretained(object).toOpaque())
}

/// The object of a handle, which stays valid. Traps for NULL, in the name of the call.
@unsafe
func object<Object: AnyObject>(
  _ handle: OpaquePointer?, as _: Object.Type, _ call: StaticString
) -> Object {
  unsafe unmanaged(handle, call).takeUnretainedValue()
}

/// The object of a handle, which is invalid from now on. Traps for NULL, in the name of the call.
@unsafe
func takeObject<Object: AnyObject>(
  _ handle: OpaquePointer?, as _: Object.Type, _ call: StaticString
) -> Object {
  unsafe unmanaged(handle, call).takeRetainedValue()
}

@unsafe
private func unmanaged<Object: AnyObject>(
  _ handle: OpaquePointer?, _ call: StaticString
) -> Unmanaged<Object> {
  guard let handle = unsafe handle else { trap("\(call): the handle is NULL") }
  return unsafe Unmanaged.fromOpaque(UnsafeRawPointer(handle))
}
