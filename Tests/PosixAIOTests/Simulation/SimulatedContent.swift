/// What a simulated write writes: bytes that tell whose they are, from wherever one looks at them.
///
/// Words of four bytes: a mark, the request's number in two bytes of seven bits, and the word's
/// place in the request.
enum SimulatedContent {
  /// The most requests whose bytes can be told from each other.
  static let requestLimit = 1 << 14
  /// The fewest bytes that tell whose they are, wherever they begin.
  static let leastTold = 6
  private static let mark: UInt8 = 0xFF
  private static let digit = 0x7F

  static func byte(_ place: Int, of request: Int) -> UInt8 {
    switch place % 4 {
    case 0: mark
    case 1: UInt8(request & digit)
    case 2: UInt8(request >> 7 & digit)
    default: UInt8(place / 4 % digit)
    }
  }

  static func bytes(of request: Int, count: Int) -> [UInt8] {
    (0..<count).map { byte($0, of: request) }
  }

  /// The requests whose bytes these are, wherever the piece begins.
  static func requests(in bytes: [UInt8]) -> Set<Int> {
    var found: Set<Int> = []
    var place = 0
    while place + 2 < bytes.count {
      guard bytes[place] == mark else {
        place += 1
        continue
      }
      found.insert(Int(bytes[place + 1]) | Int(bytes[place + 2]) << 7)
      place += 4
    }
    return found
  }
}
