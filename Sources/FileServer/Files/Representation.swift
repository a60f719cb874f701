import Reactor
import ReactorHTTP

/// An open file, and in which form it stands for what was asked for.
struct Representation {
  /// What is sent.
  let file: OpenFile
  let tag: EntityTag
  let mediaType: MediaType
  let isGzip: Bool

  /// The file itself.
  init(_ file: OpenFile) {
    self.file = file
    tag = file.tag
    mediaType = file.mediaType
    isGzip = false
  }

  /// The precompressed form of a file.
  init(gzip sibling: OpenFile, of plain: OpenFile) {
    file = sibling
    tag = sibling.gzipTag
    mediaType = plain.mediaType
    isGzip = true
  }

  var byteCount: Int64 { file.status.byteCount }

  /// When the file last changed, to the second.
  var modified: HTTPDate {
    HTTPDate(secondsSinceEpoch: file.status.modified.seconds)
  }

  var current: Conditions.Current { .init(tag: tag, modified: modified) }

  /// What also a response without the content tells.
  var headers: HeaderFields {
    var headers = HeaderFields()
    headers.add("Last-Modified", modified.description)
    headers.add("ETag", tag.description)
    headers.add("Accept-Ranges", "bytes")
    // Whether there is a precompressed form is looked up for those alone who take it, so caches
    // are told wherever there might be one.
    if mediaType.isCompressible { headers.add("Vary", "Accept-Encoding") }
    if isGzip { headers.add("Content-Encoding", "gzip") }
    return headers
  }

  /// What a response with all of the content tells. Of most files it was written before.
  var wholeHeaders: HeaderFields { isGzip ? headersWithType : file.wholeHeaders }

  var headersWithType: HeaderFields {
    var headers = headers
    headers.add("Content-Type", mediaType.name)
    return headers
  }
}
