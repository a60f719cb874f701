import SystemPackage

/// How the files of a directory become a site.
struct SiteConfiguration: Sendable {
  /// The start of the paths that the site has: empty, or a slash and names without a slash at the
  /// end.
  var prefix = ""

  /// Nil allows all hosts.
  var hosts: HostFilter?

  var hiddenNames = HiddenNames.secrets

  var listsDirectories = true

  /// The file that is sent for a missing name without an extension: an application that shows its
  /// pages by script.
  var applicationPage: FilePath?

  /// The content of a 404.
  var notFoundPage: FilePath?

  /// Whether pages of other sites may read the files.
  var allowsOtherOrigins = false

  /// The place of a request's path.
  enum Place: Equatable {
    /// A path of the site, without the prefix.
    case inside(String)
    /// The prefix without a slash.
    case prefix
    case outside
  }

  /// - Parameter path: The percent-encoded path of a request.
  func place(of path: String) -> Place {
    guard !prefix.isEmpty else { return .inside(path) }
    guard path.utf8.starts(with: prefix.utf8) else { return .outside }
    let rest = path.utf8.dropFirst(prefix.utf8.count)
    if rest.isEmpty { return .prefix }
    return rest.first == UInt8(ascii: "/") ? .inside(String(Substring(rest))) : .outside
  }
}
