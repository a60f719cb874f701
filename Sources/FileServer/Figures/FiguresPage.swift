import ProgramSupport
import ReactorHTTP

/// Where and how the figures are shown.
enum FiguresPage: CaseIterable {
  case page, json, prometheus

  /// The seconds between two looks of the page.
  private static let refreshSeconds = 2

  /// Nil for a path that is a file's.
  init?(_ request: HTTPServer.Request) {
    switch request.path {
    case "/_stats":
      let wantsJSON = request.headers["Accept"]?.hasPrefix("application/json") ?? false
      self = wantsJSON ? .json : .page
    case "/_stats.json": self = .json
    case "/metrics": self = .prometheus
    default: return nil
    }
  }

  func send(_ snapshot: Snapshot, _ responder: HTTPServer.ResponseWriter) {
    var headers: HeaderFields = ["Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"]
    let body: String
    switch self {
    case .prometheus:
      headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
      body = snapshot.metrics.map(\.prometheus).joined()
    case .json:
      headers.add("Content-Type", "application/json")
      body = "\(JSON.object(snapshot.metrics.map(\.json)))\n"
    case .page:
      headers.add("Content-Type", "text/html; charset=utf-8")
      headers.add(
        "Content-Security-Policy",
        "default-src 'none'; style-src '\(listingStyleHash)'; frame-ancestors 'none'")
      body = Self.html(snapshot)
    }
    responder.send(.ok, headers: headers, body: body.utf8)
  }

  private static func html(_ snapshot: Snapshot) -> String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <meta http-equiv="refresh" content="\(refreshSeconds)">
    <title>aio-fileserver</title>
    <style>\(listingStyle)</style>
    </head>
    <body>
    <h1>aio-fileserver</h1>
    <p class="sum"><a href="/_stats.json">as JSON</a>, <a href="/metrics">for Prometheus</a></p>
    <table>
    <thead><tr><th>Figure</th><th>Of</th><th>Value</th></tr></thead>
    <tbody>
    \(snapshot.metrics.map(\.rows).joined())</tbody>
    </table>
    </body>
    </html>

    """
  }
}
