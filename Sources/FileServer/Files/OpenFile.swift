import Reactor
import ReactorHTTP
import SystemPackage

/// An open file with its metadata, shared by all responses that send it.
///
/// Nobody closes it. It is closed when the last of its users lets go, which is on the loop's
/// thread; what is being read from it by then comes to its end first.
final class OpenFile {
  let file: File
  private var isClosed = false

  /// Of the file itself.
  private(set) lazy var tag = EntityTag(status)
  /// Of the file as the precompressed form of another one.
  private(set) lazy var gzipTag = EntityTag(status, suffix: "-gzip")
  private(set) lazy var mediaType = MediaType(of: path)
  /// Of a response with the whole file.
  private(set) lazy var wholeHeaders = Representation(self).headersWithType

  /// Takes over an open file.
  init(_ file: File) {
    self.file = file
  }

  deinit {
    // Not left to the file, which would free the space of one without a name on this thread.
    if !isClosed { file.close() }
  }

  /// The path below the root.
  var path: FilePath { file.path }

  /// The metadata at the moment when the file was opened.
  var status: FileStatus { file.openingStatus }

  /// Whether both are the same file with the same content, as far as metadata can tell.
  func isSameVersion(as other: OpenFile) -> Bool {
    let (mine, others) = (status, other.status)
    return mine.inode == others.inode && mine.device == others.device
      && mine.byteCount == others.byteCount && mine.modified == others.modified
      && mine.changed == others.changed
  }

  /// Closes the file now, for its only user.
  ///
  /// - Parameter handler: Called once, when its descriptor is free.
  func close(_ handler: @escaping () -> Void) {
    isClosed = true
    // It was only read, so there is nothing to lose.
    file.close { _ in handler() }
  }
}
