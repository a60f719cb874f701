/// `uri-host [ ":" port ]`: the value of `Host` (RFC 9110, 7.2), and part of some targets.
struct Authority {
  /// The host, which may be empty.
  let host: Range<Int>
  /// The digits after the colon, possibly none; nil without a colon.
  let port: Range<Int>?
  private let portNumber: Int?

  /// Nil if the text has another form.
  init?(_ bytes: Span<UInt8>) {
    let hostEnd: Int
    if !bytes.isEmpty, bytes[0] == UInt8(ascii: "[") {
      guard let bracket = bytes.firstIndex(where: { $0 == UInt8(ascii: "]") }),
        isAddressLiteral(bytes.extracting(1..<bracket))
      else { return nil }
      hostEnd = bracket + 1
    } else {
      hostEnd = bytes.firstIndex { $0 == .colon } ?? bytes.count
      guard isRegisteredName(bytes.extracting(first: hostEnd)) else { return nil }
    }
    host = 0..<hostEnd
    guard hostEnd < bytes.count else {
      (port, portNumber) = (nil, nil)
      return
    }
    guard bytes[hostEnd] == .colon,
      bytes.firstIndex(from: hostEnd + 1, where: { !$0.isDigit }) == nil
    else { return nil }
    port = hostEnd + 1..<bytes.count
    portNumber = decimalNumber(bytes.extracting(hostEnd + 1..<bytes.count)).map(Int.init)
  }

  /// Whether a client can connect to it: it has a host and a port of 1 to 65535 (RFC 9110, 9.3.6).
  var isDestination: Bool {
    !host.isEmpty && portNumber.map { (1...65_535).contains($0) } ?? false
  }
}

/// Parses `1*DIGIT` up to `Int64.max`.
func decimalNumber(_ bytes: Span<UInt8>) -> Int64? {
  guard !bytes.isEmpty else { return nil }
  var number: Int64 = 0
  for index in bytes.indices {
    let digit = bytes[index] &- UInt8(ascii: "0")
    guard digit < 10 else { return nil }
    let (product, isTooLarge) = number.multipliedReportingOverflow(by: 10)
    let (sum, isOver) = product.addingReportingOverflow(Int64(digit))
    guard !isTooLarge, !isOver else { return nil }
    number = sum
  }
  return number
}

/// Matches `reg-name` (RFC 3986, 3.2.2), which may be empty. It includes IPv4 addresses.
private func isRegisteredName(_ bytes: Span<UInt8>) -> Bool {
  var index = 0
  while index < bytes.count {
    if bytes[index] == UInt8(ascii: "%") {
      guard index + 2 < bytes.count, bytes[index + 1].hexDigitValue != nil,
        bytes[index + 2].hexDigitValue != nil
      else { return false }
      index += 3
    } else {
      guard bytes[index].isInRegisteredNames else { return false }
      index += 1
    }
  }
  return true
}

/// Matches `IPv6address` or `IPvFuture`, without the brackets. HTTP does not allow zones (RFC
/// 6874).
private func isAddressLiteral(_ bytes: Span<UInt8>) -> Bool {
  guard !bytes.isEmpty, bytes[0] | 0x20 == UInt8(ascii: "v") else { return isIPv6Address(bytes) }
  let dot = bytes.firstIndex(from: 1) { $0.hexDigitValue == nil }
  guard let dot, dot > 1, bytes[dot] == UInt8(ascii: "."), dot + 1 < bytes.count else {
    return false
  }
  return bytes.firstIndex(from: dot + 1) { !$0.isInRegisteredNames && $0 != .colon } == nil
}

/// Eight groups of one to four hex digits. "::" may stand once for one or more groups, and an IPv4
/// address for the last two.
private func isIPv6Address(_ bytes: Span<UInt8>) -> Bool {
  var (index, groupCount, isShortened) = (0, 0, false)
  if bytes.count >= 2, bytes[0] == .colon, bytes[1] == .colon { (index, isShortened) = (2, true) }
  while index < bytes.count {
    let end = bytes.firstIndex(from: index) { $0.hexDigitValue == nil } ?? bytes.count
    if end < bytes.count, bytes[end] == UInt8(ascii: ".") {
      guard isIPv4Address(bytes.extracting(index..<bytes.count)) else { return false }
      groupCount += 2
      break
    }
    guard (1...4).contains(end - index) else { return false }
    groupCount += 1
    index = end
    guard index < bytes.count else { break }
    guard bytes[index] == .colon else { return false }
    index += 1
    if index < bytes.count, bytes[index] == .colon {
      guard !isShortened else { return false }
      isShortened = true
      index += 1
    } else if index == bytes.count {
      return false
    }
  }
  return isShortened ? groupCount < 8 : groupCount == 8
}

/// Four numbers of 0 to 255, without leading zeros.
private func isIPv4Address(_ bytes: Span<UInt8>) -> Bool {
  var (index, count) = (0, 0)
  while true {
    let end = bytes.firstIndex(from: index) { !$0.isDigit } ?? bytes.count
    let isPadded = end - index > 1 && bytes[index] == UInt8(ascii: "0")
    guard end - index <= 3, !isPadded,
      let number = decimalNumber(bytes.extracting(index..<end)), number <= 255
    else { return false }
    count += 1
    guard end < bytes.count else { return count == 4 }
    guard bytes[end] == UInt8(ascii: "."), count < 4 else { return false }
    index = end + 1
  }
}
