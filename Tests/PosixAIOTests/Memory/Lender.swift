/// Lends memory to buffers.
@safe
final class Lender {
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 1)

  deinit { unsafe memory.deallocate() }
}
