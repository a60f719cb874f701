// swift-tools-version: 6.2
import PackageDescription

/// Warnings stop a build only where that is asked for, so that a newer compiler's new warning
/// never breaks somebody's work. `.ci/run` asks for it.
let warningsAsErrors = Context.environment["WARNINGS_AS_ERRORS"] != nil

let settings: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
  ]
  + ["ExistentialAny", "MemberImportVisibility", "InternalImportsByDefault"]
  .map { .enableUpcomingFeature($0) }
  + (warningsAsErrors ? [.treatAllWarnings(as: .error)] : [])

let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let serviceLifecycle = Target.Dependency.product(
  name: "ServiceLifecycle", package: "swift-service-lifecycle",
  condition: .when(traits: ["ServiceLifecycle"]))

let httpTypes = Target.Dependency.product(
  name: "HTTPTypes", package: "swift-http-types", condition: .when(traits: ["HTTPTypes"]))

func nio(_ product: String) -> Target.Dependency {
  .product(name: product, package: "swift-nio", condition: .when(traits: ["NIO"]))
}

let package = Package(
  name: "swift-aio",
  products: [
    .library(name: "PosixAIO", targets: ["PosixAIO"]),
    .library(name: "Reactor", targets: ["Reactor"]),
    .library(name: "ReactorHTTP", targets: ["ReactorHTTP"]),
    // Each is empty without the trait of its name: the article Integrations of Reactor.
    .library(name: "ReactorHTTPTypes", targets: ["ReactorHTTPTypes"]),
    .library(name: "ReactorMetrics", targets: ["ReactorMetrics"]),
    .library(name: "ReactorServiceLifecycle", targets: ["ReactorServiceLifecycle"]),
    .library(name: "NIOPosixAIO", targets: ["NIOPosixAIO"]),
    .executable(name: "aio-fileserver", targets: ["FileServer"]),
    .executable(name: "aio-stress", targets: ["Stress"]),
    .executable(name: "aio-kv", targets: ["KeyValueServer"]),
  ],
  traits: [
    .trait(
      name: "HTTPTypes", description: "The product ReactorHTTPTypes, over swift-http-types."),
    .trait(name: "NIO", description: "The product NIOPosixAIO, over swift-nio."),
    .trait(name: "Metrics", description: "The product ReactorMetrics, over swift-metrics."),
    .trait(
      name: "ServiceLifecycle",
      description: "The product ReactorServiceLifecycle, over swift-service-lifecycle."),
  ],
  dependencies: [
    // The oldest versions that everything here was built with, tests and traits included.
    .package(url: "https://github.com/apple/swift-system", from: "1.4.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    // Only fetched with the trait that needs it.
    .package(url: "https://github.com/apple/swift-http-types", from: "1.3.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.90.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.7.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
  ],
  targets: [
    // The C side of PosixAIO: what the Glibc module does not show to Swift.
    .target(name: "CPosixAIO"),
    // libevent is named by its linker flags in the module maps, so that a machine without
    // pkg-config builds without a warning.
    .systemLibrary(name: "CLibevent", providers: [.apt(["libc6-dev", "libevent-dev"])]),

    .target(name: "PosixAIO", dependencies: ["CPosixAIO", systemPackage]),
    // The C side of Reactor: what needs the layout of libevent's structs.
    .target(name: "CReactor", dependencies: ["CLibevent"]),
    .target(
      name: "Reactor", dependencies: ["PosixAIO", "CReactor", "CLibevent", systemPackage]),
    .target(
      name: "ReactorHTTP",
      dependencies: ["Reactor", "PosixAIO", systemPackage]),
    .target(
      name: "NIOPosixAIO",
      dependencies: ["PosixAIO", nio("NIOCore"), nio("NIOPosix"), systemPackage]),
    .target(name: "ReactorHTTPTypes", dependencies: ["ReactorHTTP", httpTypes]),
    .target(
      name: "ReactorMetrics",
      dependencies: [
        "Reactor", "PosixAIO",
        .product(
          name: "CoreMetrics", package: "swift-metrics", condition: .when(traits: ["Metrics"])),
      ]),
    .target(
      name: "ReactorServiceLifecycle",
      dependencies: ["PosixAIO", "Reactor", serviceLifecycle, systemPackage]),
    // How the programs start, what they tell when they do not, and their JSON; not a product.
    .target(name: "ProgramSupport", dependencies: [argumentParser]),
    // The C side of FileServer. libc6-dev brings libcrypt.
    .target(name: "CFileServer", linkerSettings: [.linkedLibrary("crypt")]),
    .executableTarget(
      name: "FileServer",
      dependencies: [
        "CFileServer", "PosixAIO", "Reactor", "ReactorHTTP", "ProgramSupport", systemPackage,
        argumentParser,
        logging,
      ]),
    .executableTarget(
      name: "Stress",
      dependencies: [
        "PosixAIO", "Reactor", "ProgramSupport", systemPackage, argumentParser, logging,
      ]),
    // The C side of KeyValueServer.
    .target(name: "CKeyValue"),
    .executableTarget(
      name: "KeyValueServer",
      dependencies: [
        "CKeyValue", "PosixAIO", "Reactor", "ProgramSupport", systemPackage, argumentParser,
        logging,
      ]),

    // Shared by the test targets; not a product.
    .target(
      name: "TestSupport", dependencies: ["PosixAIO", systemPackage], path: "Tests/TestSupport"),
    .executableTarget(
      name: "AsyncMain", dependencies: ["PosixAIO", "TestSupport", systemPackage],
      path: "Tests/Fixtures/AsyncMain"),
    .executableTarget(
      name: "NoHelpers", dependencies: ["PosixAIO", "Reactor", "TestSupport", systemPackage],
      path: "Tests/Fixtures/NoHelpers"),
    // Writes to peers that are gone, with SIGPIPE at its default.
    .executableTarget(
      name: "BrokenPipes",
      dependencies: ["PosixAIO", "Reactor", "ReactorHTTP", "TestSupport", systemPackage],
      path: "Tests/Fixtures/BrokenPipes"),
    // Makes a caller's mistakes, for .ci/misuse.
    .executableTarget(
      name: "Misuse", dependencies: ["PosixAIO", "Reactor", systemPackage],
      path: "Tests/Fixtures/Misuse"),
    // Prints what the HTTP parser makes of cases: for .ci/differential and the parser's own tests.
    .executableTarget(
      name: "ParserOutcomes", dependencies: ["ReactorHTTP"], path: "Tests/Fixtures/ParserOutcomes"),
    .target(name: "CFaults", path: "Tests/Fixtures/CFaults"),
    .executableTarget(
      name: "OperationScenario",
      dependencies: ["PosixAIO", "CPosixAIO", "TestSupport", systemPackage],
      path: "Tests/Fixtures/OperationScenario"),
    .testTarget(
      name: "PosixAIOTests",
      dependencies: [
        "PosixAIO", "CPosixAIO", "AsyncMain", "NoHelpers", "CFaults", "OperationScenario",
        "TestSupport", systemPackage,
      ]),
    .testTarget(
      name: "ReactorTests",
      dependencies: [
        "Reactor", "PosixAIO", "CFaults", "CLibevent", "NoHelpers", "TestSupport", systemPackage,
      ]),
    .testTarget(
      name: "ReactorHTTPTests",
      dependencies: [
        "ReactorHTTP", "Reactor", "PosixAIO", "BrokenPipes", "ParserOutcomes", "TestSupport",
        systemPackage,
      ]),
    .testTarget(
      name: "IntegrationTests",
      dependencies: [
        "ReactorHTTPTypes", "ReactorMetrics", "ReactorServiceLifecycle", "ReactorHTTP", "Reactor",
        "PosixAIO", "TestSupport", systemPackage, logging, serviceLifecycle, httpTypes,
        .product(
          name: "MetricsTestKit", package: "swift-metrics",
          condition: .when(traits: ["Metrics"])),
      ]),
    .testTarget(
      name: "NIOPosixAIOTests",
      dependencies: [
        "NIOPosixAIO", "PosixAIO", "TestSupport", systemPackage, nio("NIOCore"), nio("NIOPosix"),
        nio("NIOEmbedded"),
      ]),
    // Reads the repository, and depends on nothing in it.
    .testTarget(name: "TidyTests"),
    .testTarget(
      name: "ProgramTests",
      dependencies: [
        "FileServer", "KeyValueServer", "Stress", "ProgramSupport", "PosixAIO", "Reactor",
        "ReactorHTTP", "TestSupport", systemPackage, argumentParser, logging,
      ],
      exclude: ["KeyValue/Corpus"]),
  ]
)

// What C calls: an older compiler has no `@c`.
#if compiler(>=6.3)
  // For programs in C and C++: docs/evaio.md. ./install-evaio builds and installs it.
  package.products.append(.library(name: "evaio", type: .dynamic, targets: ["Evaio"]))
  package.targets += [
    // The header.
    .systemLibrary(name: "CEvaio"),
    .target(
      name: "Evaio", dependencies: ["CEvaio", "CLibevent", "Reactor", "PosixAIO", systemPackage]),

    // A snippet is one file of Swift that uses the library products, so this is none: its host is
    // in C.
    .executableTarget(
      name: "EmbedInC", dependencies: ["CLineServer", "PosixAIO", "Reactor", systemPackage],
      path: "Examples/EmbedInC"),
    // A server in C with an event base of its own.
    .target(name: "CLineServer", dependencies: ["CLibevent"], path: "Examples/CLineServer"),
    .testTarget(
      name: "EmbeddingTests",
      dependencies: ["EmbedInC", "Reactor", "TestSupport", systemPackage]),
  ]
#endif

/// Only these test targets, separated by commas: a sanitizer's build needs some of them only.
if let names = Context.environment["TEST_TARGETS"]?.split(separator: ",").map(String.init) {
  package.targets.removeAll { $0.type == .test && !names.contains($0.name) }
}

let targetsInC: Set = ["CPosixAIO", "CReactor", "CFaults", "CLineServer"]
for target in package.targets where target.type != .system && !targetsInC.contains(target.name) {
  target.swiftSettings = settings
}
