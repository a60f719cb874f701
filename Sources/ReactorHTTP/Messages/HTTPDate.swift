/// A date with a precision of one second, as HTTP writes it: "Sun, 06 Nov 1994 08:49:37 GMT".
public struct HTTPDate: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Seconds since 1970-01-01 00:00:00 UTC, without leap seconds; within the years 1 to 9999.
  public let secondsSinceEpoch: Int64

  /// Creates a date from seconds since 1970, as in `st_mtime`.
  ///
  /// - Parameter secondsSinceEpoch: The seconds. Dates outside the years 1...9999, which HTTP
  ///   cannot write, become the nearest date inside.
  public init(secondsSinceEpoch: Int64) {
    self.secondsSinceEpoch = min(max(secondsSinceEpoch, Self.earliest), Self.latest)
  }

  /// Parses a date in any of the three forms that RFC 9110, 5.6.7 requires recipients to accept.
  ///
  /// - Parameter text: The date. The result is nil for any other text.
  public init?(_ text: String) {
    let words = text.split { " ,-:".contains($0) }.map(String.init)
    // "Sun Nov  6 08:49:37 1994" ends with the year; the other two forms end with "GMT".
    let isAsctime = words.count == 7
    guard isAsctime || (words.count == 8 && words[7] == "GMT") else { return nil }
    let (day, month, year) =
      isAsctime ? (words[2], words[1], words[6]) : (words[1], words[2], words[3])
    let clock = (isAsctime ? words[3...5] : words[4...6])
      .compactMap { $0.utf8.count == 2 ? Int64(digits: $0) : nil }
    guard let month = Self.month(month), let day = Int64(digits: day),
      isAsctime || words[1].utf8.count == 2, let year = Self.year(year), clock.count == 3,
      clock[0] < 24, clock[1] < 60, clock[2] < 60
    else { return nil }
    let days = Self.days(year: year, month: month, day: day)
    self.init(secondsSinceEpoch: days * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2])
    // A day that the month does not have gives a different day.
    guard Self.civil(days: days).day == day else { return nil }
  }

  /// Whether `left` is before `right`.
  ///
  /// - Parameters:
  ///   - left: The first date.
  ///   - right: The second date.
  public static func < (left: HTTPDate, right: HTTPDate) -> Bool {
    left.secondsSinceEpoch < right.secondsSinceEpoch
  }

  /// The date in the form that RFC 9110 requires senders to use (IMF-fixdate).
  public var description: String {
    let days = secondsSinceEpoch.flooredQuotient(86_400)
    let second = secondsSinceEpoch - days * 86_400
    let (year, month, day) = Self.civil(days: days)
    // 1970-01-01 was a Thursday.
    let weekday = Int((days % 7 + 7 + 4) % 7)
    var text = Self.pattern
    func put(_ number: Int64, at place: Int) {
      text[place] = UInt8(ascii: "0") + UInt8(number / 10)
      text[place + 1] = UInt8(ascii: "0") + UInt8(number % 10)
    }
    for place in 0..<3 {
      text[place] = Self.weekdays[weekday * 3 + place]
      text[place + 8] = Self.months[Int(month - 1) * 3 + place]
    }
    put(day, at: 5)
    put(year / 100, at: 12)
    put(year % 100, at: 14)
    put(second / 3600, at: 17)
    put(second / 60 % 60, at: 20)
    put(second % 60, at: 23)
    return String(decoding: text, as: UTF8.self)
  }

  private static let pattern = Array("___, __ ___ ____ __:__:__ GMT".utf8)
  private static let weekdays = Array("SunMonTueWedThuFriSat".utf8)
  private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)
  private static let earliest = days(year: 1, month: 1, day: 1) * 86_400
  private static let latest = days(year: 10_000, month: 1, day: 1) * 86_400 - 1

  /// A year of four digits; two digits mean 1970 to 2069.
  private static func year(_ text: String) -> Int64? {
    guard let number = Int64(digits: text) else { return nil }
    switch text.utf8.count {
    case 4: return number > 0 ? number : nil
    case 2: return number < 70 ? 2000 + number : 1900 + number
    default: return nil
    }
  }

  /// The number of a month, 1 to 12, from its name.
  private static func month(_ name: String) -> Int64? {
    (1...12).first { months[($0 - 1) * 3..<$0 * 3].elementsEqual(name.utf8) }.map { Int64($0) }
  }

  // Both functions count years that begin in March, so the leap day is the last day of a year. The
  // lengths of the months then follow (153 m + 2) / 5, and 400 years have 146,097 days.

  private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let year = month <= 2 ? year - 1 : year
    let era = year.flooredQuotient(400)
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = shifted.flooredQuotient(146_097)
    let dayOfEra = shifted - era * 146_097
    let leapDays = dayOfEra / 1460 - dayOfEra / 36_524 + dayOfEra / 146_096
    let yearOfEra = (dayOfEra - leapDays) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let month = (monthFromMarch + 2) % 12 + 1
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }
}

extension Int64 {
  /// Digits only: no sign, and at most four.
  fileprivate init?(digits: String) {
    guard digits.utf8.count <= 4,
      digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    self.init(digits)
  }

  fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
    self >= 0 ? self / divisor : -((-self + divisor - 1) / divisor)
  }
}
