import Glibc

/// INCRBYFLOAT, with the longest floating-point type of the processor.
enum FloatCommands {
  #if arch(x86_64)
    private typealias Number = Float80
    private static let format = "%.17Lf"
  #else
    private typealias Number = Double
    private static let format = "%.15f"
  #endif
  /// The sign, the digits of the largest number, the point and the digits after it.
  private static let digitLimit = 5 * 1024

  static let all: [Command] = [
    .write("incrbyfloat", 3, keys: .first, "Adds to a floating-point number.") {
      call throws(CommandError) in try add(call)
    }
  ]

  private static func add(_ call: Call) throws(CommandError) {
    let old = call.read(call.key(1))
    let present = try old.map { value throws(CommandError) in try number(value.bytes) } ?? 0
    let sum = present + (try number(call.arguments[2]))
    guard sum.isFinite else {
      throw CommandError("ERR increment would produce NaN or Infinity")
    }
    let digits = digits(of: sum)
    call.database.set(call.key(1), Value(bytes: digits, expiry: old?.expiry ?? .never))
    call.reply.bulk(digits)
  }

  private static func number(_ bytes: Bytes) throws(CommandError) -> Number {
    guard let number = Number(bytes.text), !number.isNaN else {
      throw CommandError("ERR value is not a valid float")
    }
    return number
  }

  /// The number without an exponent and without zeros at the end.
  private static func digits(of number: Number) -> Bytes {
    var digits = Bytes(repeating: 0, count: digitLimit)
    let count = unsafe digits.withUnsafeMutableBytes { digits in
      unsafe withVaList([number]) { list in
        unsafe vsnprintf(digits.baseAddress, digits.count, format, list)
      }
    }
    digits.removeLast(digits.count - Int(count))
    while digits.last == UInt8(ascii: "0") { digits.removeLast() }
    if digits.last == UInt8(ascii: ".") { digits.removeLast() }
    return digits == Bytes("-0".utf8) ? Bytes("0".utf8) : digits
  }
}
