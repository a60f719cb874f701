/// The effect of `fallocate(2)` on a range of a file.
public enum FileAllocation: Sendable {
  /// Reserves the space, so that writes there cannot fail with `ENOSPC`. The file grows if the
  /// range ends after the end of the file.
  case extending
  /// Reserves the space without changing the file's size.
  case keepingSize
  /// Releases the space. The range reads as zeros; the file's size does not change.
  case hole
  /// Makes the range read as zeros and keeps its space. The file grows if the range ends after the
  /// end of the file.
  case zeros
}
