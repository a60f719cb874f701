import Testing

/// The imports of each target, by the table of targets in docs/design.md.
struct ImportTests {
  private static let libc: Set = ["Glibc", "Synchronization", "SystemPackage"]
  private static let program: Set = [
    "ArgumentParser", "Glibc", "Logging", "PosixAIO", "ProgramSupport", "Reactor", "SystemPackage",
  ]

  private static let allowed: [String: Set<String>] = [
    "PosixAIO": libc.union(["CPosixAIO"]),
    "Reactor": libc.union(["CLibevent", "CReactor", "PosixAIO"]),
    "ReactorHTTP": libc.union(["PosixAIO", "Reactor"]),
    "NIOPosixAIO": libc.union(["NIOCore", "NIOPosix", "PosixAIO"]),
    "ReactorHTTPTypes": ["HTTPTypes", "ReactorHTTP"],
    "ReactorMetrics": ["CoreMetrics", "PosixAIO", "Reactor"],
    "ReactorServiceLifecycle": libc.union(["PosixAIO", "Reactor", "ServiceLifecycle"]),
    "Evaio": libc.union(["CEvaio", "CLibevent", "PosixAIO", "Reactor"]),
    "ProgramSupport": ["ArgumentParser", "Glibc"],
    "FileServer": program.union(["CFileServer", "ReactorHTTP"]),
    "KeyValueServer": program.union(["CKeyValue"]),
    "Stress": program,
  ]

  @Test func everyTargetImportsOnlyItsModules() {
    for (target, modules) in Self.allowed {
      let files = Repository.files("Sources/\(target)", ending: [".swift"])
      #expect(!files.isEmpty, "Sources/\(target) has no sources")
      for file in files {
        let strangers = file.places { line in
          line.importedModule.map { !modules.contains($0) } ?? false
        }
        #expect(strangers == [])
      }
    }
  }

  @Test func everyTargetInSwiftIsListed() {
    let directories = Repository.directories(in: "Sources").filter { directory in
      !Repository.files("Sources/\(directory)", ending: [".swift"]).isEmpty
    }
    #expect(directories == Self.allowed.keys.sorted())
  }

  /// The public API consists of the library's own types and swift-system's.
  @Test func libraryShowsNothingOfCOrOfLibevent() {
    for file in Repository.files("Sources", ending: [".swift"]) {
      let shown = file.places { line in
        line.hasPrefix("public import ") && line.importedModule.map(Self.isOfC) ?? false
      }
      #expect(shown == [])
    }
  }

  private static func isOfC(_ module: String) -> Bool {
    module == "Glibc" || module.hasPrefix("C") && module != "CoreMetrics"
  }

  @Test(arguments: [
    // The only calls of POSIX AIO, which tests override.
    (["aio_", "lio_listio("], ["Sources/PosixAIO/System/AIOSystem.swift"]),
    // Passes pointers to Swift objects through libevent's events.
    (
      ["event_new("],
      ["Sources/Reactor/Loop/Event.swift"]
    ),
    // Decides which events are the loop's own.
    (["creactor_leave_uncounted("], ["Sources/Reactor/Loop/Event.swift"]),
  ])
  func oneFileMakesTheCall(_ calls: [String], _ doors: [String]) {
    for file in Repository.files("Sources", ending: [".swift"]) where !doors.contains(file.path) {
      #expect(file.places { line in calls.contains { line.code.calls($0) } } == [])
    }
    for door in doors {
      let callers = TextFile(door)?.places { line in calls.contains { line.code.calls($0) } }
      #expect(callers?.isEmpty == false, "\(door) makes no such call; did it move?")
    }
  }

  /// Any other file that used libevent would have to handle pointers itself.
  @Test func threeFilesOfReactorCallLibevent() {
    let doors = ["Event", "EventLoop+Run", "EventRegistry"].map {
      "Sources/Reactor/Loop/\($0).swift"
    }
    let calls = ["event_", "evbuffer_", "evconnlistener_", "evutil_", "bufferevent_", "evtimer_"]
    for file in Repository.files("Sources/Reactor", ending: [".swift"]) {
      let places = file.places { line in calls.contains { line.code.calls($0) } }
      #expect(places.isEmpty != doors.contains(file.path), "\(file.path): \(places)")
    }
  }
}

extension Substring {
  /// The module of an import of any access level.
  fileprivate var importedModule: String? {
    let words = split(separator: " ")
    let sights: Set<Substring> = ["public", "package", "internal", "private", "@testable"]
    guard let place = words.firstIndex(of: "import"), place + 1 < words.count,
      words[..<place].allSatisfy(sights.contains)
    else { return nil }
    // Of a single type, the module is what precedes its name.
    guard words[place + 1] == "struct", place + 2 < words.count else {
      return String(words[place + 1])
    }
    return words[place + 2].split(separator: ".").first.map(String.init)
  }

  /// Whether the line calls a function whose name begins like this; not the end of a longer name,
  /// nor a field of a struct.
  fileprivate func calls(_ beginning: String) -> Bool {
    var rest = self[...]
    while let found = rest.firstRange(of: beginning) {
      let before = found.lowerBound == startIndex ? " " : self[index(before: found.lowerBound)]
      let name = self[found.lowerBound...].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
      let isWhole = !before.isLetter && before != "_" && before != "."
      if isWhole, self[name.endIndex...].hasPrefix("(") { return true }
      rest = self[found.upperBound...]
    }
    return false
  }
}
