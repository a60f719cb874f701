import PosixAIO
import Reactor
import SystemPackage

try EventLoop.run { loop in
  let file = try await File.open("/etc/os-release", .readOnly, on: loop)
  let buffer = try await file.read(into: IOBuffer(capacity: 4096), at: 0)
  print(String(decoding: buffer), terminator: "")
  try await file.close()
}
