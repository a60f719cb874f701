internal import Measuring
internal import SystemPackage

/// One run of the rows that were asked for, compared with an earlier one where there is one.
struct MeasuringSession {
  let settings: Report.Settings
  let only: [String]
  let contestant: String?
  /// What to compare with.
  let former: Report?

  /// The names of all rows, measured or not, in order.
  private(set) var names: [String] = []
  /// What is worse than it was, in two measurements.
  private(set) var findings: [Check.Finding] = []
  /// Rows that stood beside an earlier one.
  private(set) var comparedCount = 0

  init(
    settings: Report.Settings, only: [String], contestant: String?, former: Report?
  ) {
    self.settings = settings
    self.only = only
    self.contestant = contestant
    self.former = former
  }

  /// Measures.
  mutating func run(in directory: String) throws -> [RowResult] {
    let files = try WorkFiles(in: FilePath(directory))
    var results: [RowResult] = []
    for row in Rows.all(files) {
      names.append(row.name)
      guard row.isChosen(only) else { continue }
      guard !row.isDirect || WorkFile.takesDirectIO(files.direct) else {
        print("\n\(row.name): left out, since this file system does not take O_DIRECT")
        continue
      }
      let (settings, contestant) = (settings, contestant)
      results += try compared { [try row.run(settings, chosen: contestant)] }
    }
    for program in RowProgram.all {
      names += program.rowNames
      guard contestant == nil, program.rowNames.contains(where: only.choose) else { continue }
      let (rounds, only) = (settings.rounds, only)
      results += try compared {
        guard let rows = try program.rows(rounds: rounds, directory: directory) else {
          print("\n\(program.name): left out; `swift build -c release` builds the program for it")
          return []
        }
        return rows.filter { only.choose($0.name) }
      }
    }
    return results
  }

  /// What looks worse is measured once more: of many ratios, chance moves one or the other.
  private mutating func compared(_ measure: () throws -> [RowResult]) throws -> [RowResult] {
    let rows = try measure()
    rows.forEach(Table.show)
    comparedCount += rows.count { earlier($0) != nil }
    let suspects = rows.flatMap(findings)
    guard !suspects.isEmpty else { return rows }
    print("\nWorse than before; once more:")
    let again = try measure()
    again.forEach(Table.show)
    findings += again.flatMap(findings).filter { finding in
      suspects.contains { $0.row == finding.row && $0.names == finding.names }
    }
    return again
  }

  private func findings(_ row: RowResult) -> [Check.Finding] {
    earlier(row).map { Check.findings(of: row, since: $0) } ?? []
  }

  private func earlier(_ row: RowResult) -> RowResult? {
    former?.rows.first { $0.name == row.name }
  }
}
