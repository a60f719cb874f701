import Reactor
import SystemPackage

/// The media type that a file's name implies.
struct MediaType: Equatable {
  /// The value of `Content-Type`.
  let name: String

  /// Whether such a file may have a precompressed sibling.
  let isCompressible: Bool

  /// Looks up the extension of the name, ignoring case.
  init(of path: FilePath) {
    self = path.string.fileExtension.flatMap { mediaTypes[$0.lowercased()] } ?? unknownType
  }

  /// - Parameter registered: The type as registered with IANA, without parameters.
  fileprivate init(registered: String) {
    let isText = registered.hasPrefix("text/")
    let isReadAsText = isText || typesWithCharset.contains(registered)
    name = isReadAsText ? registered + "; charset=utf-8" : registered
    isCompressible =
      isText || registered.hasSuffix("+xml") || registered.hasSuffix("json")
      || compressibleTypes.contains(registered)
  }
}

extension String {
  /// The part of a file name after its last dot, unless the name begins with that dot. `FilePath`
  /// gives the same result, but takes the path apart and reassembles it first.
  fileprivate var fileExtension: Substring? {
    let slash = UInt8(ascii: "/")
    guard let mark = utf8.lastIndex(where: { $0 == UInt8(ascii: ".") || $0 == slash }),
      utf8[mark] != slash, mark > utf8.startIndex, utf8[utf8.index(before: mark)] != slash
    else { return nil }
    return self[utf8.index(after: mark)...]
  }
}

private let unknownType = MediaType(registered: "application/octet-stream")

/// Types outside `text/` that browsers read as text; without a charset they would guess the
/// encoding.
private let typesWithCharset: Set = ["application/manifest+json", "application/xhtml+xml"]

private let compressibleTypes: Set = [
  "application/javascript", "application/wasm", "application/xml", "application/yaml",
  "font/otf", "font/ttf", "image/bmp", "image/x-icon",
]

/// Types by extension: from the IANA registry if it has the type, otherwise as in the `mime.types`
/// of Debian and in browsers.
private let mediaTypes = table(
  """
  application/atom+xml atom
  application/epub+zip epub
  application/gzip gz tgz
  application/java-archive jar
  application/json json map
  application/ld+json jsonld
  application/manifest+json webmanifest
  application/msword doc
  application/octet-stream bin img iso
  application/pdf pdf
  application/pgp-signature asc sig
  application/postscript eps ps
  application/rss+xml rss
  application/rtf rtf
  application/sql sql
  application/toml toml
  application/vnd.android.package-archive apk
  application/vnd.debian.binary-package deb udeb
  application/vnd.ms-excel xls
  application/vnd.ms-powerpoint ppt
  application/vnd.oasis.opendocument.presentation odp
  application/vnd.oasis.opendocument.spreadsheet ods
  application/vnd.oasis.opendocument.text odt
  application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
  application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
  application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
  application/vnd.rar rar
  application/vnd.sqlite3 db sqlite sqlite3
  application/wasm wasm
  application/x-7z-compressed 7z
  application/x-bzip2 bz2
  application/x-ndjson ndjson jsonl
  application/x-rpm rpm
  application/x-tar tar
  application/x-xz xz
  application/xhtml+xml xht xhtml
  application/xml xml xsd xsl
  application/yaml yaml yml
  application/zip zip
  application/zstd zst
  audio/aac aac
  audio/flac flac
  audio/midi mid midi
  audio/mp4 m4a
  audio/mpeg mp3
  audio/ogg oga ogg opus
  audio/wav wav
  audio/webm weba
  font/otf otf
  font/ttf ttf
  font/woff woff
  font/woff2 woff2
  image/apng apng
  image/avif avif
  image/bmp bmp
  image/gif gif
  image/heic heic
  image/jpeg jfif jpeg jpg
  image/jxl jxl
  image/png png
  image/svg+xml svg
  image/tiff tif tiff
  image/vnd.adobe.photoshop psd
  image/webp webp
  image/x-icon cur ico
  model/gltf+json gltf
  model/gltf-binary glb
  text/calendar ics
  text/css css
  text/csv csv
  text/html htm html
  text/javascript cjs js mjs
  text/markdown markdown md
  text/plain c cc conf cpp diff go h hpp ini java log patch py rs swift text ts txt
  text/tab-separated-values tsv
  text/vcard vcf
  text/vtt vtt
  text/x-shellscript sh
  video/mp2t m2ts
  video/mp4 m4v mp4
  video/mpeg mpeg mpg
  video/ogg ogv
  video/quicktime mov
  video/webm webm
  video/x-matroska mkv
  video/x-msvideo avi
  """)

private func table(_ lines: String) -> [String: MediaType] {
  var types: [String: MediaType] = [:]
  for line in lines.split(separator: "\n") {
    let words = line.split(separator: " ").map(String.init)
    let type = MediaType(registered: words[0])
    for name in words.dropFirst() { types[name] = type }
  }
  return types
}
