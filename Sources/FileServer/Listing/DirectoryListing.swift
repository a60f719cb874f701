internal import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// A page with the names in a directory, in parts: its head, a row for each name, and its tail.
struct DirectoryListing: Sendable {
  /// The path of the directory, "." for the root.
  let path: FilePath
  let order: ListingOrder

  /// Whether the page has an upload form.
  var allowsUploads = false

  /// - Parameter isSorted: Whether the rows are in ``order``, and the page offers other orders.
  func appendHead(isSorted: Bool, to page: inout HTMLText) {
    let heading = htmlEscaped(path == "." ? "/" : "/\(path.string)/")
    page.append(
      """
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
      \(allowsUploads ? uploadForm : "")\(isSorted ? sortForm : unsortedNote)<table>
      <thead><tr>\(isSorted ? columns : plainColumns)</tr></thead>
      <tbody>
      \(wayUp)
      """)
  }

  func appendTail(_ sum: Sum, to page: inout HTMLText) {
    page.append(
      """
      </tbody>
      </table>
      <p class="sum">\(sum.text)</p>
      </body>
      </html>

      """)
  }

  /// The header restricts the page to its own style and script, whatever names it shows.
  var headers: HeaderFields {
    let script = allowsUploads ? "script-src '\(uploadScriptHash)'; connect-src 'self'; " : ""
    return [
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": "default-src 'none'; style-src '\(listingStyleHash)'; \(script)"
        + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
      "Referrer-Policy": "same-origin",
      "Cache-Control": "no-cache",
    ]
  }

  /// The directories on the path from the root, each a link.
  private var breadcrumb: String {
    let names = path == "." ? [] : Array(path.components)
    // Relative, for a prefix of the path, or a proxy that changes it.
    let wayToRoot = String(repeating: "../", count: names.count)
    let root = names.isEmpty ? "root" : "<a href=\"\(wayToRoot)\">root</a>"
    let parts = names.enumerated().map { index, name in
      let text = htmlEscaped(name.string)
      let ups = names.count - 1 - index
      guard ups > 0 else { return text }
      return "<a href=\"\(String(repeating: "../", count: ups))\">\(text)</a>"
    }
    return ([root] + parts).joined(separator: "<span> / </span>")
  }

  /// The column heads. Each is a button that sorts by its column; a second click reverses the
  /// order. Programs that follow links, such as `wget -r`, would fetch the directory once for each
  /// order; they do not send forms.
  private var columns: String {
    ListingOrder.Key.allCases.map { key in
      let isChosen = order.key == key
      let next = ListingOrder(key: key, isDescending: isChosen ? !order.isDescending : false)
      let mark = isChosen ? (order.isDescending ? " \u{2193}" : " \u{2191}") : ""
      let sort = isChosen ? " aria-sort=\"\(order.isDescending ? "descending" : "ascending")\"" : ""
      return "<th\(sort)><button form=\"order\" name=\"sort\" value=\"\(next.value)\">"
        + "\(key.title)\(mark)</button></th>"
    }.joined()
  }

  private var plainColumns: String {
    ListingOrder.Key.allCases.map { "<th>\($0.title)</th>" }.joined()
  }

  private var wayUp: String {
    path == "."
      ? "" : "<tr class=\"directory\"><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n"
  }

  /// - Parameter name: The name in the bytes of the file system. Symbolic links are shown by name
  ///   only.
  static func appendRow(
    _ item: ListedNames.Item, named name: ArraySlice<UInt8>, to page: inout HTMLText
  ) {
    page.append(item.isDirectory ? "<tr class=\"directory\"><td><a href=\"" : "<tr><td><a href=\"")
    page.append(percentEncoding: name)
    page.append(item.isDirectory ? "/\">" : "\">")
    page.append(escaping: name)
    page.append(item.isDirectory ? "/</a></td>" : "</a></td>")
    if item.isRegular {
      page.append("<td title=\"\(item.byteCount) bytes\">\(sizeText(item.byteCount))</td>")
    } else {
      page.append("<td></td>")
    }
    page.append("<td>\(dateText(item.modified))</td></tr>\n")
  }

  /// Whether a listing leaves a name out.
  static func hides(_ name: Span<UInt8>) -> Bool {
    !name.isEmpty && name[0] == UInt8(ascii: ".")
  }

  /// The number of names on a page, and the size of the files.
  struct Sum {
    private var directoryCount = 0
    private var fileCount = 0
    private var byteCount: Int64 = 0

    mutating func add(_ item: ListedNames.Item) {
      if item.isDirectory { directoryCount += 1 }
      guard item.isRegular else { return }
      fileCount += 1
      byteCount = byteCount.addingReportingOverflow(item.byteCount).partialValue
    }

    fileprivate var text: String {
      "\(counted(directoryCount, "directory", "directories")), "
        + "\(counted(fileCount, "file", "files")), \(sizeText(byteCount))"
    }

    private func counted(_ count: Int, _ singular: String, _ plural: String) -> String {
      "\(count) \(count == 1 ? singular : plural)"
    }
  }
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
