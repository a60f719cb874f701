internal import CPosixAIO
public import SystemPackage
public import struct SystemPackage.FileDescriptor

extension FileDescriptor.OpenOptions {
  /// Bypasses the page cache (`O_DIRECT`), which neither Glibc nor System offers in Swift.
  ///
  /// Offsets, lengths and the memory of every read and write must be multiples of the file system's
  /// block size, which is 4096 bytes at most on all common ones; otherwise they fail with `EINVAL`.
  /// An ``IOBuffer`` of a page or more is aligned. Opening fails with `EINVAL` on a file system
  /// without direct IO.
  public static var directIO: Self { Self(rawValue: caio_o_direct()) }
}
