internal import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// An open file with its metadata, shared by all responses that send it.
///
/// It is closed when the last reference to it is released, on the thread of the loop. Reads in
/// progress finish first.
final class OpenFile {
  let file: File
  let cacheControl: String?
  private var isClosed = false

  /// The tag of the file itself.
  private(set) lazy var tag = EntityTag(status)
  /// The tag of the file as a precompressed form of another one.
  private var codedTag: (coding: ContentCoding, tag: EntityTag)?
  private(set) lazy var mediaType = MediaType(of: path)
  /// The header of a response with the whole file, as soon as it is final.
  private var preparedHeaders: HeaderFields?

  /// Takes ownership of an open file.
  ///
  /// - Parameter cacheControl: The `Cache-Control` of the file; nil sends none.
  init(_ file: File, cacheControl: String? = nil) {
    self.file = file
    self.cacheControl = cacheControl
  }

  deinit {
    // Close explicitly: `File` would free the space of an unlinked file on this thread.
    if !isClosed { file.close() }
  }

  /// The path below the root.
  var path: FilePath { file.path }

  /// The metadata from when the file was opened.
  var status: FileStatus { file.openingStatus }

  /// The tag of the file as the precompressed form of another one.
  func tag(as coding: ContentCoding) -> EntityTag {
    if let codedTag, codedTag.coding == coding { return codedTag.tag }
    let tag = EntityTag(status, suffix: "-" + coding.name)
    codedTag = (coding, tag)
    return tag
  }

  /// The header of a response with the whole file.
  var wholeHeaders: HeaderFields {
    if let preparedHeaders { return preparedHeaders }
    let headers = Representation(self).headersWithType
    // Until the time of the file has come, the header follows the clock.
    if status.modified.seconds <= HTTPDate.now.secondsSinceEpoch { preparedHeaders = headers }
    return headers
  }

  /// Whether both have the same file and content, as far as their metadata shows.
  func isSameVersion(as other: OpenFile) -> Bool {
    let (mine, others) = (status, other.status)
    return mine.inode == others.inode && mine.device == others.device
      && mine.byteCount == others.byteCount && mine.modified == others.modified
      && mine.changed == others.changed
  }

  /// Closes the file now. The caller must hold the only reference.
  ///
  /// - Parameter handler: Called once, when the descriptor is free.
  func close(_ handler: @escaping () -> Void) {
    isClosed = true
    // The file was only read, so a failed close loses nothing.
    file.close { _ in handler() }
  }
}
