// swift-tools-version: 6.2
import PackageDescription

/// As in the root package: asked for by CI, so that a newer compiler's warning stops nobody's work.
let warningsAsErrors = Context.environment["WARNINGS_AS_ERRORS"] != nil

let settings: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
  ]
  + ["ExistentialAny", "MemberImportVisibility", "InternalImportsByDefault"]
  .map { .enableUpcomingFeature($0) }
  + (warningsAsErrors ? [.treatAllWarnings(as: .error)] : [])

let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
/// Exactly this, since the tables name it.
let nioVersion: Version = "2.101.2"
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let posixAIO = Target.Dependency.product(name: "PosixAIO", package: "swift-aio")
/// Files on SwiftNIO's loops, which the trait NIO of the package below adds.
let nioPosixAIO = Target.Dependency.product(name: "NIOPosixAIO", package: "swift-aio")
let reactor = Target.Dependency.product(name: "Reactor", package: "swift-aio")
let reactorHTTP = Target.Dependency.product(name: "ReactorHTTP", package: "swift-aio")

// A package of its own, so that who uses the library never resolves or installs its peers.
let package = Package(
  name: "Benchmarks",
  products: [
    .executable(name: "peers", targets: ["Peers"]),
    .executable(name: "allocations", targets: ["Allocations"]),
    .executable(name: "programs", targets: ["Programs"]),
    .executable(name: "evhttp-files", targets: ["EvhttpFiles"]),
    .executable(name: "hello-server", targets: ["HelloServer"]),
    // Preloaded into servers that are programs of their own.
    .library(name: "allocation-counter", type: .dynamic, targets: ["CAllocationCounter"]),
    .executable(name: "nio-files", targets: ["NIOFiles"]),
  ],
  dependencies: [
    .package(name: "swift-aio", path: "..", traits: ["NIO"]),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-nio", exact: nioVersion),
  ],
  targets: [
    // The peers' own libraries. Only CPeers includes their headers; Swift never sees them.
    .systemLibrary(name: "CLiburing", providers: [.apt(["liburing-dev"])]),
    .systemLibrary(name: "CLibuv", providers: [.apt(["libuv1-dev"])]),
    // The measured loops of the peers, in C.
    .target(
      name: "CPeers", dependencies: ["CLiburing", "CLibuv"],
      cSettings: [.define("BENCH_NIO_VERSION", to: "\"\(nioVersion)\"")],
      linkerSettings: [.linkedLibrary("uring"), .linkedLibrary("uv")]),
    // Rows, statistics, and what is written down of them.
    .target(name: "Measuring", dependencies: ["CPeers", posixAIO, reactor, systemPackage]),
    .executableTarget(
      name: "Peers",
      dependencies: [
        "CPeers", "Measuring", posixAIO, reactor, systemPackage, argumentParser,
      ]),
    // The programs beside others of their kind, and one of those, which is C.
    .executableTarget(
      name: "Programs", dependencies: ["CPeers", "Measuring", systemPackage, argumentParser]),
    .executableTarget(
      name: "EvhttpFiles",
      linkerSettings: [.linkedLibrary("event_core"), .linkedLibrary("event_extra")]),
    // A response without a file, in Swift: evhttp-files has the same one in C.
    .executableTarget(name: "HelloServer", dependencies: [reactor, reactorHTTP]),
    // Counts allocations by standing in for libc's heap, which would slow the others down.
    .target(name: "CAllocationCounter"),
    .executableTarget(
      name: "Allocations",
      dependencies: [
        "CAllocationCounter", "CPeers", "Measuring", posixAIO, systemPackage, argumentParser,
      ]),
    // File calls of SwiftNIO, and ours on its loops: a process of its own for each measurement.
    .executableTarget(
      name: "NIOFiles",
      dependencies: [
        "CPeers", "Measuring", nioCore, nioPosix, nioPosixAIO, posixAIO, systemPackage,
        argumentParser, .product(name: "_NIOFileSystem", package: "swift-nio"),
      ]),
  ]
)

for target in package.targets
where target.type != .system && !target.name.hasPrefix("C") && target.name != "EvhttpFiles" {
  target.swiftSettings = settings
}
