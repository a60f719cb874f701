/// The content encodings that a client accepts, from an `Accept-Encoding` header (RFC 9110,
/// 12.5.3).
struct AcceptedEncodings {
  /// The weights in thousandths, from 0 to 1000, by the lowercase name of the encoding.
  private var weights: [String: Int] = [:]

  /// - Parameter header: The header; unknown parts of it are ignored. The standard lets a client
  ///   without the header accept any encoding, but clients without any support for encodings also
  ///   omit it. Nil therefore accepts none.
  init(_ header: String?) {
    for element in header?.utf8.split(separator: UInt8(ascii: ",")) ?? [] {
      let parts = element.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
      guard let name = parts.first?.trimmed, !name.isEmpty,
        let weight = Self.weight(parts.dropFirst())
      else { continue }
      weights[String(Substring(name)).lowercased()] = weight
    }
  }

  /// The codings that are accepted with at least the weight of the plain form, the heaviest first.
  var preferred: [ContentCoding] {
    guard !weights.isEmpty else { return [] }
    let plain = weights["identity"] ?? weights["*"] ?? 0
    let accepted = ContentCoding.allCases.map { (coding: $0, weight: weight(of: $0)) }
      .filter { $0.weight > 0 && $0.weight >= plain }
    // The sort is stable, so equal weights leave the order of the cases.
    return accepted.sorted { $0.weight > $1.weight }.map(\.coding)
  }

  private func weight(of coding: ContentCoding) -> Int {
    let alias = coding == .gzip ? weights["x-gzip"] : nil
    return weights[coding.name] ?? alias ?? weights["*"] ?? 0
  }

  /// Nil if the parameters are anything but a single weight.
  private static func weight(_ parameters: ArraySlice<Substring.UTF8View>) -> Int? {
    guard let parameter = parameters.first?.trimmed else { return 1000 }
    guard parameters.count == 1,
      parameter.starts(with: "q=".utf8) || parameter.starts(with: "Q=".utf8)
    else { return nil }
    return thousandths(parameter.dropFirst(2))
  }

  /// "0" to "1" with at most three decimals.
  private static func thousandths(_ text: Substring.UTF8View) -> Int? {
    var digits = text
    guard let whole = digits.popFirst(), whole == UInt8(ascii: "0") || whole == UInt8(ascii: "1")
    else { return nil }
    var number = Int(whole - UInt8(ascii: "0"))
    if let point = digits.popFirst(), point != UInt8(ascii: ".") { return nil }
    guard digits.count <= 3 else { return nil }
    for _ in 0..<3 {
      let digit = digits.popFirst() ?? UInt8(ascii: "0")
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      number = number * 10 + Int(digit - UInt8(ascii: "0"))
    }
    return number <= 1000 ? number : nil
  }
}
