/// Traps with a sentence unless a condition holds, in release builds too, where the standard
/// library's precondition traps without one.
///
/// It costs the same, a comparison and a branch: the sentence is only made when it is needed.
///
/// - Parameters:
///   - condition: What the caller has to see to.
///   - sentence: Says it, with the type in front: "File: a timeout is more than 0".
@inlinable
@inline(__always)
package func require(
  _ condition: @autoclosure () -> Bool, _ sentence: @autoclosure () -> String,
  file: StaticString = #fileID, line: UInt = #line
) {
  if !condition() { trap(sentence(), file: file, line: line) }
}

/// Traps with a sentence, in release builds too.
@inline(never)
@usableFromInline
package func trap(
  _ sentence: String, file: StaticString = #fileID, line: UInt = #line
) -> Never {
  fatalError(sentence, file: file, line: line)
}
