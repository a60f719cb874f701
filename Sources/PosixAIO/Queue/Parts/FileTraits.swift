internal import CPosixAIO
internal import Glibc

/// The properties of a file that decide how its operations run.
struct FileTraits {
  /// Whether it is a regular file, whose size says where it ends and whose pages may be cached.
  let isRegular: Bool
  /// Whether an operation may never end: of a pipe, a socket, a terminal.
  let mayBlockForever: Bool
  /// Whether it may block forever and is open for both reading and writing.
  let isBidirectional: Bool
  /// Whether its IO bypasses the page cache (`O_DIRECT`).
  let isDirect: Bool
  /// Whether writes go to its end, whatever their offset (`O_APPEND`).
  let isAppending: Bool

  /// Whether writes run one after the other, in the order in which they were accepted. Direct
  /// writes are faster in parallel; a caller that needs an order among them waits for each.
  var keepsWritesInOrder: Bool { isAppending || !isDirect }

  /// A regular file that is read through the page cache.
  static let cachedRegular = FileTraits(
    isRegular: true, mayBlockForever: false, isDirect: false, isAppending: false)

  private init(isRegular: Bool, mayBlockForever: Bool, isDirect: Bool, isAppending: Bool) {
    self.isRegular = isRegular
    self.mayBlockForever = mayBlockForever
    isBidirectional = false
    self.isDirect = isDirect
    self.isAppending = isAppending
  }

  /// - Parameter descriptor: A bad one counts as a regular file; its operations will fail.
  init(_ descriptor: Int32) {
    var status = stat()
    let kind = unsafe fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
    let flags = fcntl(descriptor, F_GETFL)
    isRegular = kind == S_IFREG
    mayBlockForever = kind == S_IFIFO || kind == S_IFSOCK || kind == S_IFCHR
    isBidirectional = mayBlockForever && flags >= 0 && flags & O_ACCMODE == O_RDWR
    isDirect = flags >= 0 && flags & caio_o_direct() != 0
    isAppending = flags >= 0 && flags & O_APPEND != 0
  }
}
