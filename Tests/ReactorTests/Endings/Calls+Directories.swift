import PosixAIO
import Reactor
import SystemPackage
import TestSupport

extension CallTable {
  /// What an open directory opens, reads and replaces.
  mutating func addDirectories() {
    add("Directory.open", .anywhereCall, on: { try $0.anywhere() }) { place, reply in
      Directory.open(place.folder, on: place.loop) { reply.ended($0) }
    } awaited: { place in
      _ = try await Directory.open(place.folder, on: place.loop)
    }
    add("Directory.openDirectory", .directoryCall, on: { try $0.directory() }) {
      directory, reply in
      directory.openDirectory("empty") { reply.ended($0) }
    } awaited: { directory in
      _ = try await directory.openDirectory("empty")
    }
    add("Directory.openFile", .directoryCall, on: { try $0.directory() }) { directory, reply in
      directory.openFile("file", .readWrite) { reply.ended($0) }
    } awaited: { directory in
      _ = try await directory.openFile("file", .readWrite)
    }
    // Opened in the call itself, where the name is in memory.
    add("Directory.openFile(cached)", .steps, on: { try $0.directory() }) { directory, reply in
      directory.openFile("file", .readOnly, options: .nonBlocking) { reply.ended($0) }
    } awaited: { directory in
      _ = try await directory.openFile("file", .readOnly, options: .nonBlocking)
    }
    add("Directory.sync", .request, on: { try $0.directory() }) { directory, reply in
      directory.sync { reply.ended($0) }
    } awaited: { directory in
      try await directory.sync()
    }
    add("Directory.contents", .steps, on: { try $0.directory() }) { directory, reply in
      directory.contents(of: "file") { reply.ended($0) { Array($0) == Site.old } }
    } awaited: { directory in
      guard Array(try await directory.contents(of: "file")) == Site.old else {
        throw WrongValue()
      }
    }
    add("Directory.replace", .steps, on: { try $0.directory() }) { directory, reply in
      directory.replace("file", with: IOBuffer(copying: Site.new)) { reply.ended($0) }
    } awaited: { directory in
      try await directory.replace("file", with: IOBuffer(copying: Site.new))
    } check: { folder, outcome in
      try Call.replaces("file", old: Site.old, new: Site.new)(folder, outcome)
    }
    addLists()
  }

  private mutating func addLists() {
    add("Directory.list", .directoryCall, on: { try $0.directory() }) { directory, reply in
      directory.list { reply.ended($0) { $0.count == 3 } }
    } awaited: { directory in
      guard try await directory.list().count == 3 else { throw WrongValue() }
    }
    add("DirectoryReader.next", .directoryCall, on: { try $0.directoryReader() }) {
      reader, reply in
      reader.next { reply.ended($0) { $0.count == 1 } }
    } awaited: { reader in
      guard try await reader.next().count == 1 else { throw WrongValue() }
    }
    add(
      "Directory.batches", .directoryCall, on: { try $0.directoryReader() },
      awaited: { reader in
        var count = 0
        for try await batch in reader { count += batch.count }
        guard count == 3 else { throw WrongValue() }
      })
  }

  /// The names in an open directory.
  mutating func addDirectoryNames() {
    add("Directory.status", .directoryCall, on: { try $0.directory() }) { directory, reply in
      directory.status(of: "file") { reply.ended($0) }
    } awaited: { directory in
      _ = try await directory.status(of: "file")
    }
    add("Directory.rename", .directoryCall, on: { try $0.directory() }) { directory, reply in
      directory.rename("file", to: "new") { reply.ended($0) }
    } awaited: { directory in
      try await directory.rename("file", to: "new")
    } check: { folder, outcome in
      try Call.moves("file", to: "new")(folder, outcome)
    }
    add("Directory.remove", .directoryCall, on: { try $0.directory() }) { directory, reply in
      directory.remove("file") { reply.ended($0) }
    } awaited: { directory in
      try await directory.remove("file")
    } check: { folder, outcome in
      try Call.removes("file")(folder, outcome)
    }
    add("Directory.createDirectory", .directoryCall, on: { try $0.directory() }) {
      directory, reply in
      directory.createDirectory("new") { reply.ended($0) }
    } awaited: { directory in
      try await directory.createDirectory("new")
    } check: { folder, outcome in
      try Call.adds("new")(folder, outcome)
    }
    add("Directory.removeDirectory", .directoryCall, on: { try $0.directory() }) {
      directory, reply in
      directory.removeDirectory("empty") { reply.ended($0) }
    } awaited: { directory in
      try await directory.removeDirectory("empty")
    } check: { folder, outcome in
      try Call.removes("empty")(folder, outcome)
    }
    addDirectoryLinks()
  }

  private mutating func addDirectoryLinks() {
    add("Directory.link", .directoryCall, on: { try $0.directory() }) { directory, reply in
      directory.link("file", to: "new") { reply.ended($0) }
    } awaited: { directory in
      try await directory.link("file", to: "new")
    } check: { folder, outcome in
      try Call.adds("new")(folder, outcome)
    }
    add("Directory.createSymbolicLink", .directoryCall, on: { try $0.directory() }) {
      directory, reply in
      directory.createSymbolicLink("new", to: "file") { reply.ended($0) }
    } awaited: { directory in
      try await directory.createSymbolicLink("new", to: "file")
    } check: { folder, outcome in
      try Call.adds("new")(folder, outcome)
    }
    add("Directory.readSymbolicLink", .directoryCall, on: { try $0.directory() }) {
      directory, reply in
      directory.readSymbolicLink("link") { reply.ended($0) { $0 == "file" } }
    } awaited: { directory in
      _ = try await directory.readSymbolicLink("link")
    }
  }

  /// Files on their way to a name.
  mutating func addTemporaryFiles() {
    add("Directory.temporaryFile", .directoryCall, on: { try $0.directory() }) {
      directory, reply in
      directory.temporaryFile { reply.ended($0) }
    } awaited: { directory in
      _ = try await directory.temporaryFile()
    }
    add("Directory.temporaryFile(named)", .directoryCall, on: { try $0.directory() }) {
      directory, reply in
      directory.namedTemporaryFile { reply.ended($0) }
    }
    let kinds: [(String, (Site) throws -> TemporaryFile)] = [
      ("", { try $0.temporaryFile() }), ("(named)", { try $0.namedTemporaryFile() }),
    ]
    for (kind, make) in kinds {
      add("TemporaryFile.publish" + kind, .directoryCall, on: make) { made, reply in
        made.publish(as: "file") { reply.ended($0) }
      } awaited: { made in
        try await made.publish(as: "file")
      } check: { folder, outcome in
        try Call.replaces("file", old: Site.old, new: Site.new)(folder, outcome)
      }
      add("TemporaryFile.discard" + kind, .steps, on: make) { made, reply in
        made.discard { reply.ended($0) }
      } awaited: { made in
        try await made.discard()
      } check: { folder, outcome in
        try Call.replaces("file", old: Site.old, new: Site.old)(folder, outcome)
      }
    }
  }
}
