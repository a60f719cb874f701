import Reactor
import SystemPackage

/// The media type that a file's name implies.
struct MediaType: Equatable {
  /// The value of `Content-Type`.
  let name: String

  /// Whether such a file may have a precompressed sibling.
  let isCompressible: Bool

  /// Looks up the extension of the name, ignoring case: first in the table of this program, whose
  /// types browsers know, then in the table of the system.
  init(of path: FilePath) {
    let name = path.string.fileExtension?.lowercased()
    self = name.flatMap { mediaTypes[$0] ?? systemMediaTypes[$0] } ?? unknownType
  }

  /// Reads the table of the system, so that no later look-up reads a file.
  static func prepare() {
    _ = systemMediaTypes.count
  }

  /// Parses a table in the format of `mime.types(5)`: a type and its extensions in each line.
  ///
  /// - Parameter text: The table. Comments, lines without an extension, and types that could not
  ///   stand in a header are left out.
  static func table(_ text: String) -> [String: MediaType] {
    var types: [String: MediaType] = [:]
    for line in text.utf8.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
      let words = line.prefix { $0 != UInt8(ascii: "#") }
        .split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        .map { String(Substring($0)) }
      guard words.count > 1, words[0].isMediaType else { continue }
      let type = MediaType(registered: words[0])
      for name in words.dropFirst() { types[name.lowercased()] = type }
    }
    return types
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
  /// Whether this is `type/subtype`, each a token of RFC 9110 as far as media types need it.
  fileprivate var isMediaType: Bool {
    let halves = split(separator: "/", omittingEmptySubsequences: false)
    return halves.count == 2
      && halves.allSatisfy { half in
        !half.isEmpty
          && half.unicodeScalars.allSatisfy {
            $0.isASCII
              && ($0.properties.isAlphabetic || "0123456789+-._".unicodeScalars.contains($0))
          }
      }
  }

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
  "application/javascript", "application/vnd.apple.mpegurl", "application/wasm",
  "application/x-subrip",
  "application/xml", "application/yaml", "audio/mpegurl", "model/obj",
  "font/otf", "font/ttf", "image/bmp", "image/x-icon",
]

/// Types by extension: from the IANA registry if it has the type, otherwise as in the `mime.types`
/// of Debian and in browsers.
private let mediaTypes = MediaType.table(
  """
  application/atom+xml atom
  application/dash+xml mpd
  application/epub+zip epub
  application/geo+json geojson
  application/gpx+xml gpx
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
  application/vnd.amazon.ebook azw
  application/vnd.android.package-archive apk
  application/vnd.apple.mpegurl m3u8
  application/vnd.comicbook+zip cbz
  application/vnd.comicbook-rar cbr
  application/vnd.debian.binary-package deb udeb
  application/vnd.flatpak flatpak
  application/vnd.google-earth.kml+xml kml
  application/vnd.google-earth.kmz kmz
  application/vnd.ms-excel xls
  application/vnd.ms-fontobject eot
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
  application/x-bittorrent torrent
  application/x-bzip2 bz2
  application/x-mobipocket-ebook mobi prc
  application/x-ndjson jsonl ndjson
  application/x-rpm rpm
  application/x-subrip srt
  application/x-tar tar
  application/x-xz xz
  application/xhtml+xml xht xhtml
  application/xml xml xsd xsl
  application/yaml yaml yml
  application/zip whl zip
  application/zstd zst
  audio/aac aac
  audio/aiff aif aiff
  audio/amr amr
  audio/flac flac
  audio/midi mid midi
  audio/mp4 m4a m4b
  audio/mpeg mp3
  audio/mpegurl m3u
  audio/ogg oga ogg opus
  audio/wav wav
  audio/webm weba
  audio/x-matroska mka
  audio/x-ms-wma wma
  font/collection ttc
  font/otf otf
  font/ttf ttf
  font/woff woff
  font/woff2 woff2
  image/apng apng
  image/avif avif
  image/bmp bmp
  image/gif gif
  image/heic heic
  image/heif heif
  image/jpeg jfif jpeg jpg
  image/jxl jxl
  image/png png
  image/svg+xml svg
  image/tiff tif tiff
  image/vnd.adobe.photoshop psd
  image/vnd.djvu djv djvu
  image/webp webp
  image/x-icon cur ico
  model/3mf 3mf
  model/gltf+json gltf
  model/gltf-binary glb
  model/obj obj
  model/stl stl
  model/vnd.usdz+zip usdz
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
  text/x-ssa ass ssa
  video/3gpp 3gp
  video/3gpp2 3g2
  video/mp2t m2ts
  video/mp4 m4v mp4
  video/mpeg mpeg mpg
  video/ogg ogv
  video/quicktime mov
  video/webm webm
  video/x-flv flv
  video/x-matroska mkv
  video/x-ms-wmv wmv
  video/x-msvideo avi
  """)

/// The types of `/etc/mime.types`, which Debian's package `media-types` and others install; empty
/// without that file.
private let systemMediaTypes: [String: MediaType] = {
  // A system without the file is as good as one whose file cannot be read.
  guard let bytes = try? smallFile("/etc/mime.types") else { return [:] }
  return MediaType.table(String(decoding: bytes, as: UTF8.self))
}()
