internal import Measuring

extension Row {
  static func awaitedRead(_ files: WorkFiles, depth: Int) -> Row {
    let (awaited, called) = ("awaited", "callback")
    return Row(
      "awaited-\(depth)", "random 4 KiB reads, cached, by \(depth) tasks that await them",
      Job(path: files.cached, blockCount: WorkFiles.blockCount, depth: depth),
      contestants: [
        Contestant(awaited, LoopContestant.awaitedRead),
        Contestant(called, LoopContestant.read),
      ],
      matches: [Match(costOf: awaited, against: called, .atMost(1.5))])
  }
}

extension EchoRow {
  private static var silence: Circumstance { Circumstance("silent loop") }

  static func besideCachedReads(_ files: WorkFiles) -> EchoRow {
    let job = Job(path: files.cached, blockCount: WorkFiles.blockCount, depth: 256)
    return EchoRow(
      "echo-cached", "echo of 64 bytes beside 256 cached 4 KiB reads at a time",
      [silence, Circumstance("beside reads", flood: job)], isOnOneProcessor: true,
      floor: .atMost(2),
      note: "The client has the loop's processor, so that none has to wake up first.")
  }

  static func besideDirectReads(_ files: WorkFiles) -> EchoRow {
    var job = Job(path: files.direct, blockCount: WorkFiles.blockCount, depth: 32)
    job.isDirect = true
    return EchoRow(
      "echo-direct", "echo of 64 bytes beside 32 O_DIRECT 4 KiB reads at a time",
      [silence, Circumstance("beside reads", flood: job)], floor: .atMost(2))
  }
}
