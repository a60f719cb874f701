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
      .filter { !$0.isHidden }
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
    let link = percentEncoded(entry.name.bytes) + slash
    return """
      <tr><td><a href="\(link)">\(htmlEscaped(entry.name.string))\(slash)</a></td>\
      <td>\(size)</td></tr>

      """
  }
}

extension Directory.Entry {
  fileprivate var isFolder: Bool { status.kind == .directory }
  fileprivate var isHidden: Bool { name.bytes.first == UInt8(ascii: ".") }
}

/// Goes by code points, as browsers do: `<` with a combining mark is one character to Swift.
private func htmlEscaped(_ text: String) -> String {
  var escaped = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": escaped += "&amp;"
    case "<": escaped += "&lt;"
    case ">": escaped += "&gt;"
    case "\"": escaped += "&quot;"
    default: escaped.unicodeScalars.append(scalar)
    }
  }
  return escaped
}
