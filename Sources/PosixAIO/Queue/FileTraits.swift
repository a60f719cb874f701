internal import CPosixAIO
internal import Glibc

/// What the kind of a file means for how its operations are run.
struct FileTraits {
  /// Whether it has an end that its size tells, and pages in the cache.
  let isRegular: Bool
  /// Whether it can block for ever: a pipe, a socket, a terminal.
  let isStream: Bool
  /// Whether it is a stream that is open for both reading and writing.
  let isTwoWay: Bool
  /// Whether its IO goes past the page cache.
  let isDirect: Bool
  /// Whether writes go to its end, whatever offset they name.
  let isAppending: Bool

  /// Whether writes run one after the other, as they were accepted. Past the page cache they gain
  /// from company, and whoever wants order there waits for each.
  var keepsWritesInOrder: Bool { isAppending || !isDirect }

  /// Of a regular file that is read through the page cache.
  static let cachedRegular = FileTraits(
    isRegular: true, isStream: false, isDirect: false, isAppending: false)

  private init(isRegular: Bool, isStream: Bool, isDirect: Bool, isAppending: Bool) {
    self.isRegular = isRegular
    self.isStream = isStream
    isTwoWay = false
    self.isDirect = isDirect
    self.isAppending = isAppending
  }

  /// - Parameter descriptor: A bad one is described as a regular file; its operations fail.
  init(_ descriptor: Int32) {
    var status = stat()
    let kind = unsafe fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
    let flags = fcntl(descriptor, F_GETFL)
    isRegular = kind == S_IFREG
    isStream = kind == S_IFIFO || kind == S_IFSOCK || kind == S_IFCHR
    isTwoWay = isStream && flags >= 0 && flags & O_ACCMODE == O_RDWR
    isDirect = flags >= 0 && flags & caio_o_direct() != 0
    isAppending = flags >= 0 && flags & O_APPEND != 0
  }
}
