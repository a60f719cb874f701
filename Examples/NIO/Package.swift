// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] =
  [.swiftLanguageMode(.v6)]
  + ["ExistentialAny", "MemberImportVisibility", "InternalImportsByDefault"]
  .map { .enableUpcomingFeature($0) }

let files = Target.Dependency.product(name: "NIOPosixAIO", package: "swift-aio")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

func nio(_ product: String) -> Target.Dependency { .product(name: product, package: "swift-nio") }

// A package of its own, so that the library does not resolve the frameworks.
let package = Package(
  name: "nio-file-servers",
  products: [
    .library(name: "HummingbirdFiles", targets: ["HummingbirdFiles"]),
    .library(name: "HTTP1Files", targets: ["HTTP1Files"]),
  ],
  dependencies: [
    .package(name: "swift-aio", path: "../..", traits: ["NIO"]),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.4.0"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
  ],
  targets: [
    // A FileProvider for Hummingbird's FileMiddleware.
    .target(
      name: "HummingbirdFiles",
      dependencies: [
        files, hummingbird, nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), systemPackage,
        .product(name: "PosixAIO", package: "swift-aio"),
        .product(name: "HummingbirdCore", package: "hummingbird"), logging,
        .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
      ]),
    // A file server on NIOHTTP1 alone.
    .target(
      name: "HTTP1Files",
      dependencies: [
        files, nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), systemPackage,
        .product(name: "PosixAIO", package: "swift-aio"),
      ]),
    // Both, and the servers that they are measured beside.
    .executableTarget(
      name: "FileServers",
      dependencies: [
        "HummingbirdFiles", "HTTP1Files", hummingbird, nio("NIOCore"), nio("NIOPosix"),
        nio("NIOHTTP1"), logging, systemPackage,
      ]),
    .testTarget(
      name: "FileServersTests",
      dependencies: [
        "HummingbirdFiles", "HTTP1Files", hummingbird, nio("NIOCore"), nio("NIOPosix"), logging,
        systemPackage, .product(name: "HummingbirdCore", package: "hummingbird"),
      ]),
  ]
)

for target in package.targets { target.swiftSettings = settings }
