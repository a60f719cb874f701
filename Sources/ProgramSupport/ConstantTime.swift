/// Compares a secret with what a client sent. Takes the same time wherever the first difference is.
///
/// - Parameters:
///   - secret: The expected bytes.
///   - other: The bytes of the client, by whose number the time grows.
public func isEqualInConstantTime(_ secret: [UInt8], _ other: [UInt8]) -> Bool {
  var difference: UInt8 = secret.count == other.count ? 0 : 1
  for (index, byte) in other.enumerated() where !secret.isEmpty {
    difference |= byte ^ secret[index % secret.count]
  }
  return difference == 0
}
