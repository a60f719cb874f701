internal import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// A page with the names in a directory.
struct DirectoryListing {
  /// The path of the directory, "." for the root.
  let path: FilePath
  let order: ListingOrder

  /// Whether the page has an upload form.
  var allowsUploads = false

  /// - Parameter entries: The entries in any order. Hidden ones are omitted, and symbolic links are
  ///   shown by name only.
  func page(_ entries: [Directory.Entry]) -> String {
    let heading = htmlEscaped(path == "." ? "/" : "/\(path.string)/")
    let shown = order.sorted(entries.filter { !$0.isHidden })
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width">
      <title>\(heading)</title>
      <style>\(listingStyle)</style>
      </head>
      <body>
      <h1>\(breadcrumb)</h1>
      \(allowsUploads ? uploadForm : "")<table>
      <thead><tr>\(columns)</tr></thead>
      <tbody>
      \(wayUp)\(shown.map(Self.row).joined())</tbody>
      </table>
      <p class="sum">\(Self.sum(of: shown))</p>
      </body>
      </html>

      """
  }

  /// The header restricts the page to its own style and script, whatever names it shows.
  var headers: HeaderFields {
    let script = allowsUploads ? "script-src '\(uploadScriptHash)'; connect-src 'self'; " : ""
    return [
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": "default-src 'none'; style-src '\(listingStyleHash)'; \(script)"
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "Referrer-Policy": "same-origin",
      "Cache-Control": "no-cache",
    ]
  }

  /// The directories on the path from the root, each a link.
  private var breadcrumb: String {
    let names = path == "." ? [] : Array(path.components)
    let root = names.isEmpty ? "root" : "<a href=\"/\">root</a>"
    let parts = names.enumerated().map { index, name in
      let text = htmlEscaped(name.string)
      let ups = names.count - 1 - index
      guard ups > 0 else { return text }
      return "<a href=\"\(String(repeating: "../", count: ups))\">\(text)</a>"
    }
    return ([root] + parts).joined(separator: "<span> / </span>")
  }

  /// The column heads. Each is a link that sorts by its column; a second click reverses the order.
  private var columns: String {
    ListingOrder.Key.allCases.map { key in
      let isChosen = order.key == key
      let next = ListingOrder(key: key, isDescending: isChosen ? !order.isDescending : false)
      let mark = isChosen ? (order.isDescending ? " \u{2193}" : " \u{2191}") : ""
      let sort = isChosen ? " aria-sort=\"\(order.isDescending ? "descending" : "ascending")\"" : ""
      return "<th\(sort)><a href=\"?\(htmlEscaped(next.query))\">\(key.title)\(mark)</a></th>"
    }.joined()
  }

  private var wayUp: String {
    path == "."
      ? "" : "<tr class=\"directory\"><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n"
  }

  private static func row(_ entry: Directory.Entry) -> String {
    let slash = entry.isDirectory ? "/" : ""
    let size =
      entry.status.kind == .regular
      ? "<td title=\"\(entry.status.byteCount) bytes\">\(sizeText(entry.status.byteCount))</td>"
      : "<td></td>"
    // A link that begins with two slashes or a scheme would lead elsewhere; encoding all of them
    // prevents that.
    let link = percentEncoded(entry.name.bytes) + slash
    return """
      <tr\(entry.isDirectory ? " class=\"directory\"" : "")>\
      <td><a href=\"\(link)\">\(htmlEscaped(entry.name.string))\(slash)</a></td>\(size)\
      <td>\(dateText(entry.status.modified.seconds))</td></tr>

      """
  }

  private static func sum(of entries: [Directory.Entry]) -> String {
    let files = entries.filter { $0.status.kind == .regular }
    let directoryCount = entries.count { $0.isDirectory }
    let byteCount = files.reduce(Int64(0)) { $0.addingReportingOverflow($1.status.byteCount).0 }
    return "\(counted(directoryCount, "directory", "directories")), "
      + "\(counted(files.count, "file", "files")), \(sizeText(byteCount))"
  }

  private static func counted(_ count: Int, _ singular: String, _ plural: String) -> String {
    "\(count) \(count == 1 ? singular : plural)"
  }
}

extension Directory.Entry {
  var isDirectory: Bool { status.kind == .directory }
  fileprivate var isHidden: Bool { name.bytes.first == UInt8(ascii: ".") }
}

/// Formats a size with three digits: "999 B", "1.46 KiB", "20.5 MiB".
func sizeText(_ byteCount: Int64) -> String {
  guard byteCount >= 1024 else { return "\(max(0, byteCount)) B" }
  var units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][...]
  var hundredths = byteCount / 1024 * 100 + byteCount % 1024 * 100 / 1024
  while hundredths >= 102_400, units.count > 1 {
    hundredths /= 1024
    units.removeFirst()
  }
  let whole = hundredths / 100
  let rest = hundredths % 100
  let decimals = whole >= 100 ? "" : whole >= 10 ? ".\(rest / 10)" : ".\(rest / 10)\(rest % 10)"
  return "\(whole)\(decimals) \(units.first ?? "")"
}

/// Formats a date in UTC: "1994-11-06 08:49".
func dateText(_ secondsSinceEpoch: Int64) -> String {
  // From "Sun, 06 Nov 1994 08:49:37 GMT".
  let words = HTTPDate(secondsSinceEpoch: secondsSinceEpoch).description.split(separator: " ")
  let month = (months.firstIndex { words[2] == $0 } ?? 0) + 1
  return "\(words[3])-\(month < 10 ? "0" : "")\(month)-\(words[1]) \(words[4].prefix(5))"
}

private let months = [
  "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
]

/// Escapes by code points, as browsers parse: Swift sees `<` with a combining mark as one
/// character.
func htmlEscaped(_ text: String) -> String {
  var escaped = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": escaped += "&amp;"
    case "<": escaped += "&lt;"
    case ">": escaped += "&gt;"
    case "\"": escaped += "&quot;"
    case "'": escaped += "&#39;"
    default: escaped.unicodeScalars.append(scalar)
    }
  }
  return escaped
}
