/// How a number of open files changes the cost of one request.
public enum FileCount {
  /// What most measurements open.
  public static let few = 10

  /// As many as issue 4 asks for, or as the limit of open files leaves, beside lanes.
  public static func many(openFileLimit: Int64) -> Int {
    max(few, min(10_000, Int(openFileLimit) - 1_000))
  }

  /// A contestant that reads with files open.
  ///
  /// - Parameters:
  ///   - openCount: Files that are open.
  ///   - usedCount: Files among them that are read, in turn.
  ///   - measure: Who reads.
  public static func contestant(
    _ name: String, openCount: Int, usedCount: Int, _ measure: @escaping (Job) throws -> Sample
  ) -> Row.Contestant {
    Row.Contestant(name) { job in
      var job = job
      job.openCount = openCount
      job.usedCount = usedCount
      return try measure(job)
    }
  }
}
