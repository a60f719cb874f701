import Reactor
import SystemPackage

/// A tag that changes whenever a file's content may have: from the inode, the size and the time of
/// the last change, in hexadecimal.
func entityTag(_ status: FileStatus) -> String {
  let numbers = [
    status.inode, UInt64(status.byteCount), UInt64(bitPattern: status.modified.seconds),
    UInt64(status.modified.nanoseconds),
  ]
  return "\"" + numbers.map { String($0, radix: 16) }.joined(separator: "-") + "\""
}

/// The media type of a file, by its name's extension.
func contentType(of path: FilePath) -> String {
  contentTypes[path.extension?.lowercased() ?? ""] ?? "application/octet-stream"
}

/// What browsers show, and what is common beside it.
private let contentTypes: [String: String] = [
  "avif": "image/avif", "bin": "application/octet-stream", "bmp": "image/bmp",
  "bz2": "application/x-bzip2", "c": "text/plain; charset=utf-8",
  "css": "text/css; charset=utf-8", "csv": "text/csv; charset=utf-8",
  "deb": "application/vnd.debian.binary-package", "epub": "application/epub+zip",
  "flac": "audio/flac", "gif": "image/gif", "gz": "application/gzip",
  "h": "text/plain; charset=utf-8", "htm": "text/html; charset=utf-8",
  "html": "text/html; charset=utf-8", "ico": "image/x-icon", "jpeg": "image/jpeg",
  "jpg": "image/jpeg", "js": "text/javascript; charset=utf-8", "json": "application/json",
  "log": "text/plain; charset=utf-8", "m4a": "audio/mp4", "md": "text/markdown; charset=utf-8",
  "mjs": "text/javascript; charset=utf-8", "mp3": "audio/mpeg", "mp4": "video/mp4",
  "ogg": "audio/ogg", "opus": "audio/ogg", "otf": "font/otf", "pdf": "application/pdf",
  "png": "image/png", "sh": "text/x-shellscript; charset=utf-8", "svg": "image/svg+xml",
  "swift": "text/plain; charset=utf-8", "tar": "application/x-tar", "tif": "image/tiff",
  "tiff": "image/tiff", "ttf": "font/ttf", "txt": "text/plain; charset=utf-8",
  "wasm": "application/wasm", "wav": "audio/wav", "webm": "video/webm", "webp": "image/webp",
  "woff": "font/woff", "woff2": "font/woff2", "xhtml": "application/xhtml+xml",
  "xml": "application/xml", "xz": "application/x-xz", "yaml": "application/yaml",
  "yml": "application/yaml", "zip": "application/zip", "zst": "application/zstd",
]
