// swift-tools-version: 6.2
import PackageDescription

/// The targets in rows: a target imports only what stands in the rows above it.
let package = Package(
  name: "Baron",
  products: [
    .executable(name: "baron", targets: ["BaronCLI"]),
    .library(name: "BaronKit", targets: ["BaronKit"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
  ],
  targets: [
    // Row 0: C libraries, and what runs while the package is built and checked.
    .plugin(name: "Embed", capability: .buildTool()),
    .plugin(
      name: "CheckImports",
      capability: .command(
        intent: .custom(
          verb: "check-imports", description: "Compare the imports of every file with the manifest."
        ))),
    .target(name: "CFileGuard"),
    .target(name: "CLastWords"),
    .target(name: "CMPI"),
    .target(name: "CProcessor"),
    .systemLibrary(
      name: "COpenCL", pkgConfig: "OpenCL",
      providers: [.apt(["ocl-icd-opencl-dev", "opencl-headers"])]),
    .systemLibrary(
      name: "CTurboJPEG", pkgConfig: "libturbojpeg", providers: [.apt(["libturbojpeg0-dev"])]),
    .systemLibrary(
      name: "CFreeType", pkgConfig: "freetype2", providers: [.apt(["libfreetype-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CWebP", pkgConfig: "libwebp", providers: [.apt(["libwebp-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    // Row 1: bytes and pixels only.
    .target(name: "Formats", dependencies: ["CZlib", "CFileGuard", "CLastWords", "CProcessor"]),
    .target(name: "Geometry", dependencies: ["Formats"]),
    .target(name: "Masks", dependencies: ["Formats", "Geometry"]),
    .target(name: "Settings", dependencies: ["Formats"]),
    // Row 2: one subject each, none knows of another.
    .target(name: "OpenCL", dependencies: ["COpenCL", "CProcessor", "Formats"]),
    .target(name: "Checkpoints", dependencies: ["Formats"]),
    .target(name: "Distribution", dependencies: ["Formats", "CMPI"]),
    .target(name: "ONNX", dependencies: ["Formats"]),
    .target(
      name: "Pictures",
      dependencies: ["Formats", "Geometry", "Masks", "CTurboJPEG", "CPNG", "CWebP", "CFreeType"]),
    .target(
      name: "Annotations", dependencies: ["Formats", "Geometry", "Masks", "Pictures", "Yams"]),
    .target(name: "Evaluation", dependencies: ["Formats", "Geometry", "Masks", "Annotations"]),
    // Rows 3 to 5: batches of annotated pictures; kernels, tensors, layers.
    .target(
      name: "Loading", dependencies: ["Formats", "Geometry", "Masks", "Annotations", "Pictures"]),
    .target(name: "KernelLibrary", dependencies: ["Formats", "OpenCL"], plugins: ["Embed"]),
    .target(name: "Tensors", dependencies: ["Formats", "Geometry", "OpenCL", "KernelLibrary"]),
    .target(name: "Layers", dependencies: ["Formats", "OpenCL", "Tensors", "Checkpoints"]),
    // Row 6: models that know nothing of the method.
    .target(
      name: "CLIP",
      dependencies: [
        "Formats", "Annotations", "Settings", "OpenCL", "KernelLibrary", "Checkpoints", "Tensors",
        "Layers",
      ]),
    .target(
      name: "Detection",
      dependencies: ["Formats", "Geometry", "Settings", "Masks", "OpenCL", "Tensors", "Layers"]),
    // Rows 7 to 9: the method, its training, what people see.
    .target(
      name: "Baron",
      dependencies: [
        "Formats", "Geometry", "Settings", "OpenCL", "Loading", "Tensors", "Layers", "CLIP",
        "Detection",
      ]),
    .target(
      name: "Training",
      dependencies: [
        "Formats", "Geometry", "Masks", "Settings", "OpenCL", "KernelLibrary", "Checkpoints",
        "Annotations", "Pictures", "Loading", "Evaluation", "Tensors", "Layers", "CLIP",
        "Detection", "Baron", "Distribution", "Yams",
      ],
      resources: [.embedInCode("Presets"), .embedInCode("Programs")], plugins: ["Embed"]),
    .target(
      name: "Exporting",
      dependencies: [
        "Formats", "Geometry", "Checkpoints", "ONNX", "Tensors", "Detection", "Training",
      ]),
    .target(name: "Reporting", dependencies: ["Formats", "Geometry", "OpenCL", "Evaluation"]),
    .target(
      name: "RunReports",
      dependencies: [
        "Formats", "Geometry", "Pictures", "Evaluation", "Training", "Reporting",
      ]),
    .target(
      name: "Labels", dependencies: ["Formats", "Geometry", "Masks", "Reporting"]),
    .target(
      name: "DemoWorld", dependencies: ["Formats", "Geometry", "Masks", "Pictures"]),
    .target(
      name: "OperatorChecks",
      dependencies: ["Formats", "Geometry", "OpenCL", "Tensors", "Detection", "Baron"]),
    .target(
      name: "Workbench",
      dependencies: [
        "Formats", "Geometry", "OpenCL", "KernelLibrary", "Checkpoints", "Tensors", "Layers",
        "CLIP", "Detection", "Training", "Reporting", "DemoWorld", "OperatorChecks",
      ]),
    .target(
      name: "Serving",
      dependencies: [
        "Formats", "Masks", "Annotations", "Pictures", "Tensors", "CLIP", "Training",
        .product(name: "FlyingSocks", package: "FlyingFox"),
      ],
      resources: [.embedInCode("Web")]),
    // Row 10: what other programs and people use: the library and the command line.
    .target(
      name: "BaronKit",
      dependencies: [
        "Formats", "Masks", "OpenCL", "KernelLibrary", "Annotations", "Pictures", "Tensors",
        "Training",
      ]),
    .executableTarget(
      name: "BaronCLI",
      dependencies: [
        "Formats", "Geometry", "Masks", "OpenCL", "KernelLibrary", "Checkpoints", "Annotations",
        "Pictures", "Evaluation", "Tensors", "Layers", "CLIP", "Detection", "Distribution",
        "Training", "Exporting", "Reporting", "RunReports", "Labels", "DemoWorld",
        "OperatorChecks", "Workbench", "Serving",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], plugins: ["Embed"]),
    // Tests: one target per source target; TestSupport holds what they share.
    .target(
      name: "TestSupport",
      dependencies: [
        "Formats", "Geometry", "Masks", "Annotations", "Evaluation", "OpenCL", "KernelLibrary",
        "Tensors", "Distribution",
      ],
      path: "Tests/TestSupport"),
    .testTarget(name: "RepositoryTests"),
    .testTarget(name: "FormatsTests", dependencies: ["Formats", "TestSupport"]),
    .testTarget(name: "SettingsTests", dependencies: ["Settings"]),
    .testTarget(name: "OpenCLTests", dependencies: ["OpenCL", "Formats", "TestSupport"]),
    .testTarget(
      name: "DistributionTests", dependencies: ["Distribution", "Formats", "TestSupport"]),
    .testTarget(name: "CheckpointsTests", dependencies: ["Checkpoints", "Formats", "TestSupport"]),
    .testTarget(name: "GeometryTests", dependencies: ["Geometry"]),
    .testTarget(
      name: "MasksTests", dependencies: ["Masks", "Geometry", "Formats", "TestSupport"]),
    .testTarget(
      name: "AnnotationsTests",
      dependencies: ["Annotations", "Pictures", "Geometry", "Masks", "Formats", "TestSupport"]),
    .testTarget(
      name: "PicturesTests",
      dependencies: ["Pictures", "Geometry", "Masks", "Formats", "TestSupport"]),
    .testTarget(
      name: "LoadingTests",
      dependencies: ["Loading", "Annotations", "Pictures", "Geometry", "TestSupport"]),
    .testTarget(
      name: "EvaluationTests",
      dependencies: ["Evaluation", "Geometry", "Masks", "Formats", "TestSupport"]),
    .testTarget(
      name: "KernelTests",
      dependencies: ["Formats", "KernelLibrary", "OpenCL", "Tensors", "TestSupport"]),
    .testTarget(
      name: "TensorsTests",
      dependencies: [
        "OperatorChecks", "Tensors", "Geometry", "KernelLibrary", "OpenCL", "Formats",
        "Distribution", "TestSupport",
      ]),
    .testTarget(
      name: "LayersTests", dependencies: ["Layers", "Checkpoints", "TestSupport"]),
    .testTarget(
      name: "CLIPTests",
      dependencies: [
        "CLIP", "Annotations", "Layers", "Tensors", "Checkpoints", "OpenCL", "Formats",
        "TestSupport",
      ]),
    .testTarget(
      name: "DetectionTests",
      dependencies: [
        "OperatorChecks", "Detection", "Geometry", "Masks", "Layers", "Tensors", "Checkpoints",
        "OpenCL", "Formats", "TestSupport",
      ]),
    .testTarget(name: "OperatorChecksTests", dependencies: ["OperatorChecks"]),
    .testTarget(
      name: "BaronTests",
      dependencies: [
        "Baron", "Geometry", "Detection", "CLIP", "Layers", "Tensors", "Checkpoints", "OpenCL",
        "Formats",
        "TestSupport",
      ]),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "DemoWorld", "Geometry", "Baron", "CLIP", "Detection", "Annotations",
        "Pictures", "Loading", "Evaluation", "Layers", "Tensors", "Checkpoints", "OpenCL",
        "KernelLibrary", "Formats", "Settings", "Distribution", "TestSupport",
      ]),
    .testTarget(
      name: "ServingTests",
      dependencies: ["Serving", "Pictures", "TestSupport"]),
    .testTarget(
      name: "LabelsTests",
      dependencies: [
        "Labels", "Annotations", "Geometry", "Masks", "Formats", "TestSupport",
      ]),
    .testTarget(name: "BaronKitTests", dependencies: ["BaronKit", "TestSupport"]),
    .testTarget(name: "ONNXTests", dependencies: ["ONNX", "Formats", "TestSupport"]),
    .testTarget(
      name: "ReportingTests",
      dependencies: [
        "Reporting", "DemoWorld", "Annotations", "Pictures", "Geometry", "Evaluation", "Formats",
        "OpenCL", "Tensors", "TestSupport",
      ]),
    .testTarget(
      name: "RunReportsTests",
      dependencies: [
        "RunReports", "Training", "Evaluation", "Pictures", "Geometry", "Formats", "TestSupport",
      ]),
    .testTarget(
      name: "MutationTests",
      dependencies: [
        "Formats", "Masks", "OpenCL", "Checkpoints", "Pictures", "Annotations", "Evaluation",
        "CLIP",
        "Training", "Reporting", "Serving", "TestSupport",
      ]),
    .testTarget(
      name: "EndToEndTests",
      dependencies: [
        "BaronCLI", "Distribution", "Checkpoints", "Formats", "Masks", "Annotations", "Pictures",
        "Geometry", "OpenCL", "KernelLibrary", "Tensors", "TestSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
  ],
  swiftLanguageModes: [.v6]
)
