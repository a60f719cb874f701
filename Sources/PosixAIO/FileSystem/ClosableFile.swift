/// An open file of some event loop, which a scope closes.
package protocol ClosableFile: AnyObject {
  nonisolated(nonsending) func close() async throws(FileError)
}

extension ClosableFile {
  /// Calls `body`, and closes the file on every path.
  ///
  /// - Throws: The error of `body`, or else the error of closing.
  nonisolated(nonsending) package func closeAfter<Value: ~Copyable>(
    _ body: nonisolated(nonsending) (Self) async throws -> Value
  ) async throws -> Value {
    let value: Value
    do {
      value = try await body(self)
    } catch {
      // The first error is the cause; an error of closing can only follow from it.
      try? await close()
      throw error
    }
    try await close()
    return value
  }
}
