// swift-tools-version: 6.2
import PackageDescription

// Built by Fuzzing/run alone, with the sanitizers that make it a fuzzer: it has no `main` of its own.
let package = Package(
    name: "ParserFuzzer",
    dependencies: [.package(name: "fanoise", path: "..")],
    targets: [
        .executableTarget(
            name: "ParserFuzzer",
            dependencies: [.product(name: "Parsers", package: "fanoise")],
            swiftSettings: [
                .unsafeFlags(["-parse-as-library", "-O"]),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("ExistentialAny"),
            ])
    ])
