// swift-tools-version: 6.2
import PackageDescription

/// Small programs that use the library from outside, as any package does.
let package = Package(
  name: "Examples",
  dependencies: [.package(name: "Baron", path: "..")],
  targets: [
    .executableTarget(name: "Find", dependencies: [.product(name: "BaronKit", package: "Baron")]),
    .executableTarget(
      name: "TrainAndFind", dependencies: [.product(name: "BaronKit", package: "Baron")]),
  ],
  swiftLanguageModes: [.v6]
)
