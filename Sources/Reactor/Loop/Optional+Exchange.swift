extension Optional {
  /// Stores a new value and returns the former one, which the caller releases.
  ///
  /// For handlers: releasing their captures may run user code, which must not find this variable in
  /// the middle of an access.
  package mutating func exchange(for new: consuming Wrapped?) -> Wrapped? {
    let former = take()
    self = new
    return former
  }
}
