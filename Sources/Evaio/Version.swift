internal import CEvaio

@c @implementation
package func evaio_get_version() -> UnsafePointer<CChar>? {
  let version: StaticString = "0.1.0"
  return unsafe UnsafeRawPointer(version.utf8Start).assumingMemoryBound(to: CChar.self)
}

@c @implementation
package func evaio_get_version_number() -> UInt32 {
  UInt32(EVAIO_VERSION_MAJOR << 24 | EVAIO_VERSION_MINOR << 16 | EVAIO_VERSION_PATCH << 8)
}
