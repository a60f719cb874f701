internal import PosixAIO
import Reactor
import ReactorHTTP

/// An open file, in the form in which it represents the requested file.
struct Representation {
  /// The file to send.
  let file: OpenFile
  let tag: EntityTag
  let mediaType: MediaType
  /// Nil for the file itself.
  let coding: ContentCoding?

  /// The file itself.
  init(_ file: OpenFile) {
    self.file = file
    tag = file.tag
    mediaType = file.mediaType
    coding = nil
  }

  /// The precompressed form of a file.
  init(_ sibling: OpenFile, _ coding: ContentCoding, of plain: OpenFile) {
    file = sibling
    tag = sibling.tag(as: coding)
    mediaType = plain.mediaType
    self.coding = coding
  }

  var byteCount: Int64 { file.status.byteCount }

  /// The time of the last modification, to the second. It is never after the `Date` of the response
  /// (RFC 9110, section 8.8.2.1): of a file from the future it is the current time.
  var modified: HTTPDate {
    min(HTTPDate(secondsSinceEpoch: file.status.modified.seconds), .now)
  }

  var current: Conditions.Current { .init(tag: tag, modified: modified) }

  /// The header fields that also a response without content has.
  var headers: HeaderFields {
    var headers = HeaderFields()
    headers.add("Last-Modified", modified.description)
    headers.add("ETag", tag.description)
    headers.add("Accept-Ranges", "bytes")
    if let cacheControl = file.cacheControl { headers.add("Cache-Control", cacheControl) }
    // Precompressed forms are looked up only for clients that accept them. Caches need `Vary`
    // wherever one could exist.
    if mediaType.isCompressible { headers.add("Vary", "Accept-Encoding") }
    if let coding { headers.add("Content-Encoding", coding.name) }
    return headers
  }

  /// The header fields of a response with the whole content. Most files have them prepared.
  var wholeHeaders: HeaderFields { coding == nil ? file.wholeHeaders : headersWithType }

  var headersWithType: HeaderFields {
    var headers = headers
    headers.add("Content-Type", mediaType.name)
    return headers
  }
}
