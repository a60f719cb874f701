import Reactor
import SystemPackage

/// The names that the server acts as if they did not exist, in any directory of a path.
enum HiddenNames: Sendable {
  case none
  /// Names that usually hold secrets or the history of a project, and are published by mistake.
  case secrets
  /// All names that begin with a dot, except `.well-known` (RFC 8615).
  case dotfiles

  private static let secretNames: Set = [
    ".git", ".hg", ".svn", ".bzr", ".env", ".htaccess", ".htpasswd", ".ssh", ".gnupg", ".aws",
    ".docker", ".kube", ".netrc", ".npmrc", ".pypirc",
  ]

  func hides(_ path: RequestPath) -> Bool {
    // Most paths have no such name, and are not taken apart.
    guard path.mayHaveDotName, self != .none else { return false }
    return path.path.components.contains { hides(name: $0.string) }
  }

  private func hides(name: String) -> Bool {
    guard name.utf8.first == UInt8(ascii: ".") else { return false }
    // The file system may ignore case.
    let name = name.lowercased()
    return switch self {
    case .none: false
    case .secrets: Self.secretNames.contains(name) || name.hasPrefix(".env.")
    case .dotfiles: name != ".well-known"
    }
  }
}
