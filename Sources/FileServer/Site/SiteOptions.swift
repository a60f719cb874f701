import ArgumentParser
import ReactorHTTP
import SystemPackage

/// The options for what is served, and with which fields.
struct SiteOptions: ParsableArguments {
  @Option(help: "The Cache-Control of files, such as \"max-age=3600\".")
  var cacheControl: String?

  @Option(help: "A field of each response, as \"NAME: VALUE\". It can be given several times.")
  var header: [String] = []

  @Flag(help: "Lets pages of other sites read the files, by CORS.")
  var cors = false

  @Option(help: "The start of all paths, such as \"/files\". Other paths do not exist.")
  var prefix = ""

  @Flag(help: "Refuses directories without an index.html, instead of listing them.")
  var noListing = false

  @Flag(
    inversion: .prefixedNo,
    help: """
      Hides all names that begin with a dot, except .well-known; with \"no\", hides none. By \
      default .git, .env, .ssh and their like are hidden.
      """)
  var hideDotfiles: Bool?

  @Option(
    help: """
      The file below the root that is sent for missing names without an extension, for \
      applications that show their pages by script.
      """)
  var spa: String?

  @Option(help: "The file below the root that is the content of a 404.")
  var notFound: String?

  @Option(
    help: """
      The host names that requests may be for, separated by commas; others get a 421. Numeric \
      addresses and localhost are always allowed.
      """)
  var hosts: String?

  /// Fields that the server sets where they apply, or that frame its messages.
  private static let ownFields: Set = [
    "accept-ranges", "access-control-allow-headers", "access-control-allow-methods",
    "access-control-allow-origin", "access-control-expose-headers", "access-control-max-age",
    "allow", "cache-control", "connection", "content-encoding", "content-length", "content-range",
    "content-type", "date", "etag", "keep-alive", "last-modified", "location", "retry-after", "te",
    "trailer", "transfer-encoding", "upgrade", "vary", "www-authenticate", "x-content-type-options",
  ]

  mutating func validate() throws {
    for text in header {
      guard let (name, value) = Self.field(text), value.isFieldValue else {
        throw ValidationError("--header must be \"NAME: VALUE\", not \"\(text)\"")
      }
      guard !Self.ownFields.contains(name.lowercased()) else {
        throw ValidationError("--header must not set \(name), which the server sets itself")
      }
    }
    guard cacheControl?.isFieldValue ?? true else {
      throw ValidationError("--cache-control must be one line of text")
    }
    let prefix = normalizedPrefix
    guard
      prefix.isEmpty
        || prefix.hasPrefix("/") && !prefix.contains("?")
          && RequestPath(prefix)?.key == PathKey(plainPath: prefix)
    else {
      throw ValidationError("--prefix must begin with a slash, and have no empty or encoded names")
    }
    for (option, path) in [("--spa", spa), ("--not-found", notFound)] {
      guard let path else { continue }
      guard let names = RequestPath("/" + path), !names.endsInSlash, !path.contains("%") else {
        throw ValidationError("\(option) must be a file below the root, not \"\(path)\"")
      }
    }
  }

  private var normalizedPrefix: String {
    var prefix = prefix
    while prefix.utf8.last == UInt8(ascii: "/") { prefix.removeLast() }
    return prefix
  }

  /// - Returns: Nil if the text is no field.
  private static func field(_ text: String) -> (name: String, value: String)? {
    guard let colon = text.firstIndex(of: ":") else { return nil }
    let name = text[..<colon]
    let marks = "!#$%&'*+-.^_`|~".unicodeScalars
    guard !name.isEmpty,
      name.unicodeScalars.allSatisfy({
        $0.isASCII
          && ($0.properties.numericType != nil || $0.properties.isAlphabetic || marks.contains($0))
      })
    else { return nil }
    return (String(name), String(text[text.index(after: colon)...].drop { $0 == " " }))
  }

  /// The fields of each response.
  var responseHeaders: HeaderFields {
    var headers: HeaderFields = ["X-Content-Type-Options": "nosniff"]
    if cors {
      headers.add("Access-Control-Allow-Origin", "*")
      headers.add("Access-Control-Expose-Headers", "*")
    }
    for (name, value) in header.compactMap(Self.field) { headers.add(name, value) }
    return headers
  }

  var configuration: SiteConfiguration {
    var site = SiteConfiguration()
    site.prefix = normalizedPrefix
    site.hosts = hosts.map {
      HostFilter($0.split { $0 == "," || $0 == " " }.map(String.init))
    }
    if let hideDotfiles { site.hiddenNames = hideDotfiles ? .dotfiles : .none }
    site.listsDirectories = !noListing
    site.applicationPage = spa.flatMap { RequestPath("/" + $0)?.path }
    site.notFoundPage = notFound.flatMap { RequestPath("/" + $0)?.path }
    site.allowsOtherOrigins = cors
    return site
  }
}

extension String {
  /// Whether this can be the value of a field: no control characters.
  fileprivate var isFieldValue: Bool {
    utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
  }
}
