// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "KernelBenchmarks",
    dependencies: [.package(name: "fanoise", path: "../..")],
    targets: [
        .executableTarget(
            name: "KernelBenchmarks",
            dependencies: [.product(name: "Kernels", package: "fanoise")])
    ])
