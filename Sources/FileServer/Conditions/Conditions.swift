import ReactorHTTP

/// The conditions of a request (RFC 9110, section 13).
struct Conditions {
  enum Outcome: Equatable {
    case proceed
    /// 304: the client already has the representation.
    case notModified
    /// 412.
    case preconditionFailed
  }

  /// The current representation that the conditions are checked against.
  struct Current {
    let tag: EntityTag
    let modified: HTTPDate
  }

  private let match: EntityTags?
  private let noneMatch: EntityTags?
  private let modifiedSince: HTTPDate?
  private let unmodifiedSince: HTTPDate?
  private let range: RangeCondition?

  /// - Parameter headers: The header. An invalid date is ignored, as the standard requires.
  init(_ headers: HeaderFields) {
    match = headers.list("If-Match").map { EntityTags($0) }
    noneMatch = headers.list("If-None-Match").map { EntityTags($0) }
    modifiedSince = headers["If-Modified-Since"].flatMap { HTTPDate($0) }
    unmodifiedSince = headers["If-Unmodified-Since"].flatMap { HTTPDate($0) }
    range = headers["If-Range"].map { RangeCondition($0) }
  }

  /// Whether a write must check the current file first.
  var concernWriting: Bool { match != nil || noneMatch != nil || unmodifiedSince != nil }

  /// Checks the conditions in the order of section 13.2.2.
  ///
  /// - Parameters:
  ///   - current: The current representation; nil if none exists.
  ///   - isReading: Whether the method is `GET` or `HEAD`.
  func outcome(_ current: Current?, isReading: Bool) -> Outcome {
    if let match {
      guard let current, match.contains(where: current.tag.matchesStrongly) else {
        return .preconditionFailed
      }
    } else if let unmodifiedSince {
      guard let current, current.modified <= unmodifiedSince else { return .preconditionFailed }
    }
    guard let current else { return .proceed }
    if let noneMatch {
      guard noneMatch.contains(where: current.tag.matchesWeakly) else { return .proceed }
      return isReading ? .notModified : .preconditionFailed
    }
    if isReading, let modifiedSince, current.modified <= modifiedSince { return .notModified }
    return .proceed
  }

  /// Whether a `Range` applies: the request has no `If-Range`, or it names exactly this version.
  func allowRange(of current: Current, now: HTTPDate) -> Bool {
    switch range {
    case nil: true
    case .tag(let tag): tag.matchesStrongly(current.tag)
    // The file may change twice in a second, so only a date in the past identifies one version. It
    // is compared for equality because it identifies a version, not an age (13.1.5).
    case .date(let date): date == current.modified && date < now
    case .unreadable: false
    }
  }

  /// Whether `If-Range` names a version by this tag.
  func rangeNames(_ tag: EntityTag) -> Bool {
    if case .tag(let named) = range { named.matchesStrongly(tag) } else { false }
  }

  private enum RangeCondition {
    case tag(EntityTag)
    case date(HTTPDate)
    case unreadable

    init(_ header: String) {
      if case .list(let tags) = EntityTags(header), tags.count == 1 {
        self = .tag(tags[0])
      } else {
        self = HTTPDate(header).map { .date($0) } ?? .unreadable
      }
    }
  }
}

extension HeaderFields {
  /// The values of all lines of a header as one list; nil without any.
  func list(_ name: String) -> String? {
    contains(name) ? values(of: name).joined(separator: ", ") : nil
  }
}
