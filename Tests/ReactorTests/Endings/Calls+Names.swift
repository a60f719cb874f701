import PosixAIO
import Reactor
import SystemPackage
import TestSupport

extension CallTable {
  /// Names anywhere.
  mutating func addNames() {
    add("File.status(of:)", .anywhereCall, on: { try $0.anywhere() }) { place, reply in
      File.status(of: place.path("file"), on: place.loop) { reply.ended($0) }
    } awaited: { place in
      _ = try await File.status(of: place.path("file"), on: place.loop)
    }
    add("File.rename", .anywhereCall, on: { try $0.anywhere() }) { place, reply in
      File.rename(place.path("file"), to: place.path("new"), on: place.loop) { reply.ended($0) }
    } awaited: { place in
      try await File.rename(place.path("file"), to: place.path("new"), on: place.loop)
    } check: { folder, outcome in
      try Call.moves("file", to: "new")(folder, outcome)
    }
    add("File.remove", .anywhereCall, on: { try $0.anywhere() }) { place, reply in
      File.remove(place.path("file"), on: place.loop) { reply.ended($0) }
    } awaited: { place in
      try await File.remove(place.path("file"), on: place.loop)
    } check: { folder, outcome in
      try Call.removes("file")(folder, outcome)
    }
    add("File.link", .anywhereCall, on: { try $0.anywhere() }) { place, reply in
      File.link(place.path("file"), to: place.path("new"), on: place.loop) { reply.ended($0) }
    } awaited: { place in
      try await File.link(place.path("file"), to: place.path("new"), on: place.loop)
    } check: { folder, outcome in
      try Call.adds("new")(folder, outcome)
    }
    addSymbolicLinks()
    add("Directory.createDirectory(at:)", .anywhereCall, on: { try $0.anywhere() }) {
      place, reply in
      Directory.createDirectory(place.path("new"), on: place.loop) { reply.ended($0) }
    } awaited: { place in
      try await Directory.createDirectory(place.path("new"), on: place.loop)
    } check: { folder, outcome in
      try Call.adds("new")(folder, outcome)
    }
    add("Directory.removeDirectory(at:)", .anywhereCall, on: { try $0.anywhere() }) {
      place, reply in
      Directory.removeDirectory(place.path("empty"), on: place.loop) { reply.ended($0) }
    } awaited: { place in
      try await Directory.removeDirectory(place.path("empty"), on: place.loop)
    } check: { folder, outcome in
      try Call.removes("empty")(folder, outcome)
    }
  }

  private mutating func addSymbolicLinks() {
    add("File.createSymbolicLink", .anywhereCall, on: { try $0.anywhere() }) { place, reply in
      File.createSymbolicLink(place.path("new"), to: "file", on: place.loop) { reply.ended($0) }
    } awaited: { place in
      try await File.createSymbolicLink(place.path("new"), to: "file", on: place.loop)
    } check: { folder, outcome in
      try Call.adds("new")(folder, outcome)
    }
    add("File.readSymbolicLink", .anywhereCall, on: { try $0.anywhere() }) { place, reply in
      File.readSymbolicLink(place.path("link"), on: place.loop) { reply.ended($0) { $0 == "file" } }
    } awaited: { place in
      _ = try await File.readSymbolicLink(place.path("link"), on: place.loop)
    }
  }

  /// Whole files.
  mutating func addContents() {
    let anywhere = Call.Traits(awaitedKeepsLoop: true)
    add("File.contents(of:)", anywhere, on: { try $0.anywhere() }) { place, reply in
      File.contents(of: place.path("file"), on: place.loop) {
        reply.ended($0) { Array($0) == Site.old }
      }
    } awaited: { place in
      let buffer = try await File.contents(of: place.path("file"), on: place.loop)
      guard Array(buffer) == Site.old else { throw WrongValue() }
    }
    add("File.contents", .steps, on: { try $0.file() }) { file, reply in
      file.contents { reply.ended($0) { Array($0) == Site.old } }
    } awaited: { file in
      guard Array(try await file.contents()) == Site.old else { throw WrongValue() }
    }
    add("File.replace", anywhere, on: { try $0.anywhere() }) { place, reply in
      File.replace(place.path("file"), with: IOBuffer(copying: Site.new), on: place.loop) {
        reply.ended($0)
      }
    } awaited: { place in
      try await File.replace(
        place.path("file"), with: IOBuffer(copying: Site.new), on: place.loop)
    } check: { folder, outcome in
      try Call.replaces("file", old: Site.old, new: Site.new)(folder, outcome)
    }
  }
}
