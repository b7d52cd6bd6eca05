// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: imports are internal unless said otherwise, and a warning is an error.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
]

/// Targets with numeric loops are optimised in debug builds too, so that tests run in minutes rather than hours.
let numeric = strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let realModule = Target.Dependency.product(name: "RealModule", package: "swift-numerics")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "fanoise",
    products: [
        .executable(name: "fanoise", targets: ["FanoiseTool"]),
        // For Benchmarks/Kernels.
        .library(name: "Kernels", targets: ["Buffers", "Kernels", "Randomness"]),
        // For Fuzzing.
        .library(
            name: "Parsers",
            targets: [
                "ArrayFiles", "Checkpoints", "Datasets", "Encoders", "Failures", "Pictures", "Reports", "Tokenizers",
                "Training",
            ]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-numerics", from: "1.1.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // System libraries and C shims.
        .systemLibrary(
            name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
        .systemLibrary(name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CFreeType", pkgConfig: "freetype2", providers: [.apt(["libfreetype-dev"])]),
        .systemLibrary(name: "CHarfBuzz", pkgConfig: "harfbuzz", providers: [.apt(["libharfbuzz-dev"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(name: "CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg62-turbo-dev"])]),
        .systemLibrary(name: "CWebP", pkgConfig: "libwebpdemux", providers: [.apt(["libwebp-dev"])]),
        .systemLibrary(name: "CGIF", pkgConfig: "libgif", providers: [.apt(["libgif-dev"])]),
        .target(name: "CPictures", dependencies: ["CJPEG", "CPNG"]),
        .systemLibrary(name: "COniguruma", pkgConfig: "oniguruma", providers: [.apt(["libonig-dev"])]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CMPI", dependencies: ["COpenMPI"]),
        .target(name: "CVectorMath", cSettings: [.unsafeFlags(["-O3"])]),

        // The library, bottom up: dependencies point down only.
        .target(name: "Failures", swiftSettings: strict),
        .target(name: "Buffers", swiftSettings: numeric),
        .target(name: "Randomness", dependencies: ["Buffers", "CVectorMath"], swiftSettings: numeric),
        .target(name: "ArrayFiles", dependencies: ["Buffers", "Failures"], swiftSettings: numeric),
        .target(
            name: "Kernels",
            dependencies: ["Buffers", "COpenBLAS", "CVectorMath", "Failures", "Randomness"],
            swiftSettings: numeric),
        .target(name: "Collectives", dependencies: ["Buffers", "CMPI", "Failures"], swiftSettings: numeric),
        .target(name: "Autograd", dependencies: ["Buffers", "Kernels", "Randomness"], swiftSettings: numeric),
        .target(
            name: "Layers", dependencies: ["Autograd", "Kernels"], swiftSettings: numeric),
        .target(
            name: "Encoders",
            dependencies: ["ArrayFiles", "Autograd", "Buffers", "Failures", "Kernels", "Layers"],
            swiftSettings: numeric),
        .target(
            name: "FANoise", dependencies: ["Buffers", "Collectives", "Failures", "Kernels", "Randomness"],
            swiftSettings: numeric),
        .target(
            name: "Losses", dependencies: ["Buffers", "Collectives", "Failures", "Kernels"], swiftSettings: numeric),
        .target(name: "Optimizers", dependencies: ["Buffers", "Kernels"], swiftSettings: numeric),
        .target(
            name: "Pictures",
            dependencies: ["CFreeType", "CGIF", "CHarfBuzz", "CPNG", "CPictures", "CVectorMath", "CWebP", "Failures"],
            swiftSettings: numeric),
        .target(name: "Tokenizers", dependencies: ["ArrayFiles", "COniguruma", "Failures"], swiftSettings: numeric),
        .target(
            name: "Datasets",
            dependencies: [
                "ArrayFiles", "Buffers", "CArchive", "CZlib", "Failures", "Pictures", "Randomness", "Tokenizers",
            ],
            swiftSettings: numeric),
        .target(
            name: "Checkpoints", dependencies: ["ArrayFiles", "Buffers", "Collectives", "COpenSSL", "Failures"],
            swiftSettings: strict),
        .target(name: "TensorBoard", dependencies: ["Failures"], swiftSettings: numeric),
        .target(name: "Reports", dependencies: ["Failures", yams], swiftSettings: strict),
        .target(
            name: "Training",
            dependencies: [
                "ArrayFiles", "Autograd", "Buffers", "Checkpoints", "Collectives", "Datasets", "Encoders", "FANoise",
                "Failures", "Kernels",
                "Layers", "Losses", "Optimizers", "Pictures", "Reports", "TensorBoard", "Tokenizers", logging,
                realModule,
                yams,
            ],
            swiftSettings: numeric),
        .executableTarget(
            name: "FanoiseTool",
            dependencies: [
                "ArrayFiles", "Buffers", "Collectives", "Datasets", "FANoise", "Failures",
                "Kernels", "Losses", "Reports",
                "Training", argumentParser,
            ],
            swiftSettings: strict),

        // Tests mirror the sources.
        .target(name: "Oracles", dependencies: ["Losses"], path: "Tests/Oracles", swiftSettings: numeric),
        .testTarget(name: "BuffersTests", dependencies: ["Buffers"], swiftSettings: strict),
        .testTarget(name: "RandomnessTests", dependencies: ["Buffers", "Randomness"], swiftSettings: strict),
        .testTarget(
            name: "ArrayFilesTests", dependencies: ["ArrayFiles", "Buffers", "Failures"], exclude: ["Fixtures"],
            swiftSettings: strict),
        .testTarget(
            name: "KernelsTests", dependencies: ["Buffers", "Kernels", "Randomness"],
            exclude: ["Golden/fits.py", "Golden/kernels.py"], swiftSettings: numeric),
        .target(
            name: "CollectivesCases", dependencies: ["Buffers", "Collectives"], path: "Tests/CollectivesCases",
            swiftSettings: strict),
        .executableTarget(
            name: "CollectivesProbe", dependencies: ["Buffers", "Collectives", "CollectivesCases", "Failures"],
            path: "Tests/CollectivesProbe",
            swiftSettings: strict),
        .testTarget(
            name: "CollectivesTests",
            dependencies: ["Buffers", "Collectives", "CollectivesCases", "CollectivesProbe", "Failures"],
            swiftSettings: strict),
        .testTarget(
            name: "AutogradTests", dependencies: ["Autograd", "Buffers", "Kernels", "Layers", "Randomness"],
            swiftSettings: numeric),
        .testTarget(
            name: "EncodersTests",
            dependencies: ["ArrayFiles", "Autograd", "Buffers", "Encoders", "Failures", "Kernels", "Layers"],
            exclude: ["Golden"],
            swiftSettings: numeric),
        .testTarget(
            name: "FANoiseTests",
            dependencies: ["Buffers", "Collectives", "FANoise", "Failures", "Oracles", "Randomness"],
            exclude: ["Golden"], swiftSettings: numeric),
        .testTarget(
            name: "LossesTests",
            dependencies: ["Buffers", "Collectives", "Failures", "Losses", "Oracles", "Randomness"],
            exclude: ["Golden/make_golden.py"], swiftSettings: numeric),
        .testTarget(name: "OptimizersTests", dependencies: ["Buffers", "Optimizers"], swiftSettings: numeric),
        .testTarget(
            name: "PicturesTests", dependencies: ["Failures", "Pictures"], exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "TokenizersTests", dependencies: ["Failures", "Randomness", "Tokenizers"], exclude: ["Golden"],
            swiftSettings: numeric),
        // Encodes for Tests/TokenizersTests/Golden/fuzz_tokenizers.py.
        .executableTarget(
            name: "TokenizersProbe", dependencies: ["Failures", "Tokenizers"], path: "Tests/TokenizersProbe",
            swiftSettings: strict),
        .testTarget(
            name: "DatasetsTests",
            dependencies: ["ArrayFiles", "Buffers", "Datasets", "Failures", "Pictures", "Randomness", "Tokenizers"],
            exclude: ["Fixtures", "Golden"],
            swiftSettings: strict),
        .testTarget(
            name: "CheckpointsTests",
            dependencies: ["ArrayFiles", "Buffers", "Checkpoints", "Collectives", "Failures"], swiftSettings: strict),
        .testTarget(
            name: "ReportsTests", dependencies: ["Failures", "Reports"], exclude: ["browser"], swiftSettings: strict),
        .testTarget(
            name: "TensorBoardTests", dependencies: ["Failures", "TensorBoard"], exclude: ["Golden"],
            swiftSettings: strict),
        .testTarget(
            name: "TrainingTests",
            dependencies: [
                "ArrayFiles", "Autograd", "Buffers", "Collectives", "Datasets",
                "Failures", "Kernels", "Layers",
                "Pictures", "Reports", "Training",
            ],
            exclude: ["Golden"],
            swiftSettings: numeric),
        // Starts the built program, alone and under mpirun, as a user would.
        .testTarget(
            name: "ToolTests",
            dependencies: ["ArrayFiles", "Buffers", "FanoiseTool", "Losses", "Oracles", "Pictures", "Randomness"],
            swiftSettings: numeric),
    ])
