extension Optional {
  /// Puts another value in the place of the present one, which the caller releases.
  ///
  /// For handlers: what they capture may run code of a user's when it is released, which must not
  /// find the place in the middle of an access.
  package mutating func exchange(for new: consuming Wrapped?) -> Wrapped? {
    let former = take()
    self = new
    return former
  }
}
