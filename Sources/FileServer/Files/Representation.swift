import Reactor
import ReactorHTTP

/// An open file, and in which form it stands for what was asked for.
struct Representation {
  /// What is sent.
  let file: File
  let tag: EntityTag
  let mediaType: MediaType
  let isGzip: Bool

  /// The file itself.
  init(_ file: File) {
    self.file = file
    tag = EntityTag(file.openingStatus)
    mediaType = MediaType(of: file.path)
    isGzip = false
  }

  /// The precompressed form of a file.
  init(gzip sibling: File, of plain: File) {
    file = sibling
    tag = EntityTag(sibling.openingStatus, suffix: "-gzip")
    mediaType = MediaType(of: plain.path)
    isGzip = true
  }

  var byteCount: Int64 { file.openingStatus.byteCount }

  /// When the file last changed, to the second.
  var modified: HTTPDate {
    HTTPDate(secondsSinceEpoch: file.openingStatus.modified.seconds)
  }

  var current: Conditions.Current { .init(tag: tag, modified: modified) }

  /// What also an answer without the content tells.
  var headers: HTTPFields {
    var headers = HTTPFields()
    headers.add("Last-Modified", modified.description)
    headers.add("ETag", tag.description)
    headers.add("Accept-Ranges", "bytes")
    // Whether there is a precompressed form is looked up for those alone who take it, so caches
    // are told wherever there might be one.
    if mediaType.isCompressible { headers.add("Vary", "Accept-Encoding") }
    if isGzip { headers.add("Content-Encoding", "gzip") }
    return headers
  }
}
