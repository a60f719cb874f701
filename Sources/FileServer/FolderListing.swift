import Reactor
import SystemPackage

/// A page with the names in a folder.
enum FolderListing {
  /// - Parameters:
  ///   - title: The folder's path, "." for the root.
  ///   - entries: In any order; hidden ones are left out, and links shown by their name alone.
  static func page(title: String, _ entries: [Directory.Entry]) -> String {
    let heading = htmlEscaped(title == "." ? "/" : "/\(title)/")
    let up = title == "." ? "" : "<tr><td><a href=\"../\">../</a></td><td></td></tr>\n"
    let rows =
      entries
      .filter { !$0.name.string.hasPrefix(".") }
      .sorted { ($0.isFolder ? 0 : 1, $0.name.string) < ($1.isFolder ? 0 : 1, $1.name.string) }
      .map(row)
      .joined()
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width">
      <title>\(heading)</title>
      <style>body { font: 1rem sans-serif; margin: 2rem } td { padding: .1rem 1rem .1rem 0 }
      td + td { text-align: right; font-variant-numeric: tabular-nums }</style>
      </head>
      <body>
      <h1>\(heading)</h1>
      <table>
      \(up)\(rows)</table>
      </body>
      </html>

      """
  }

  private static func row(_ entry: Directory.Entry) -> String {
    let slash = entry.isFolder ? "/" : ""
    let size = entry.status.kind == .regular ? "\(entry.status.byteCount)" : ""
    let link = percentEncoded(entry.nameBytes) + slash
    return """
      <tr><td><a href="\(link)">\(htmlEscaped(entry.name.string))\(slash)</a></td>\
      <td>\(size)</td></tr>

      """
  }
}

extension Directory.Entry {
  fileprivate var isFolder: Bool { status.kind == .directory }

  /// The name as the kernel has it, which need not be UTF-8.
  fileprivate var nameBytes: [UInt8] {
    // Lent for the length of the call.
    unsafe name.withPlatformString { name in
      var bytes: [UInt8] = []
      var next = unsafe name
      while unsafe next.pointee != 0 {
        bytes.append(UInt8(bitPattern: unsafe next.pointee))
        unsafe next += 1
      }
      return bytes
    }
  }
}

private func htmlEscaped(_ text: String) -> String {
  var escaped = ""
  for character in text {
    switch character {
    case "&": escaped += "&amp;"
    case "<": escaped += "&lt;"
    case ">": escaped += "&gt;"
    case "\"": escaped += "&quot;"
    default: escaped.append(character)
    }
  }
  return escaped
}
