import ProgramSupport
import ReactorHTTP

/// The forms in which the statistics are sent.
enum StatisticsPage: CaseIterable {
  case page, json, prometheus

  /// The interval in seconds at which the page reloads itself.
  private static let refreshSeconds = 2

  /// Nil if the path is not one of the statistics.
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

  func send(_ statistics: ServerGroupStatistics, _ writer: HTTPServer.ResponseWriter) {
    var headers: HeaderFields = ["Cache-Control": "no-store"]
    let body: String
    switch self {
    case .prometheus:
      headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
      body = statistics.metrics.map(\.prometheus).joined()
    case .json:
      headers.add("Content-Type", "application/json")
      body = "\(JSON.object(statistics.metrics.map(\.json)))\n"
    case .page:
      headers.add("Content-Type", "text/html; charset=utf-8")
      headers.add(
        "Content-Security-Policy",
        "default-src 'none'; style-src '\(listingStyleHash)'; frame-ancestors 'none'")
      body = Self.html(statistics)
    }
    writer.send(.ok, headers: headers, body: body.utf8)
  }

  private static func html(_ statistics: ServerGroupStatistics) -> String {
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
    <thead><tr><th>Name</th><th>Labels</th><th>Value</th></tr></thead>
    <tbody>
    \(statistics.metrics.map(\.rows).joined())</tbody>
    </table>
    </body>
    </html>

    """
  }
}
