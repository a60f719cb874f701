public import Foundation
public import Hummingbird

/// What the middleware makes a response's header fields of.
public struct FileAttributes: FileMiddlewareFileAttributes, Sendable {
  /// Whether it is a directory.
  public let isFolder: Bool
  /// In bytes.
  public let size: Int
  /// Of the content, in whole seconds.
  public let modificationDate: Date
}
