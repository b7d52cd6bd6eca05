// Pictures as published models want them, against transformers, open_clip and torchvision; random crops and colours; what is kept.

import Buffers
import Foundation
import Pictures
import Randomness
import Testing

@testable import Datasets

/// `Golden/pictures.json`, written by `Golden/pictures.py`.
private struct Golden: Decodable {
    struct Prepared: Decodable {
        let file: String
        let config: String
        let picture: String
        let size: Int
        let values: Data
    }
    struct Colours: Decodable {
        let kind: String
        let factor: Float
        let values: Data
    }
    let prepared: [Prepared]
    let colours: [Colours]

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")
    static func read() throws -> Golden {
        try JSONDecoder().decode(Golden.self, from: Data(contentsOf: folder.appendingPathComponent("pictures.json")))
    }
}

private func floats(_ data: Data) -> [Float] {
    data.withUnsafeBytes { bytes in
        (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
}

private func read(_ text: String, file: String = "preprocessor_config.json") throws -> PicturePreparation {
    let folder = try TemporaryFolder()
    try folder.write(file, text.utf8)
    return try PicturePreparation.read(modelDirectory: folder.path)
}

private func draw(_ row: Int) -> RowDraw {
    RowDraw(field: RandomField(seed: 5, purpose: .augmentation), step: 3, row: row)
}

@Suite struct PicturePreparationTests {
    @Test func preparedValuesAreThoseOfTheProcessors() throws {
        let golden = try Golden.read()
        #expect(golden.prepared.count == 56)
        for sample in golden.prepared {
            let preparation = try read(sample.config, file: sample.file)
            let path = Golden.folder.appendingPathComponent("pictures/\(sample.picture).png").path
            let pixels = try PictureStore(byteLimit: 0).pixels(.file(path), preparation)
            #expect(preparation.size == sample.size && pixels.count == 3 * sample.size * sample.size)
            let output = Floats(repeating: .nan, count: pixels.count)
            PictureChange().write(
                pixels, size: preparation.size, table: preparation.normalization.table, into: output.base)
            let difference = zip(output.array, floats(sample.values)).map { abs($0 - $1) }.max() ?? .infinity
            #expect(difference < 2e-6, "\(sample.config), \(sample.picture): \(difference)")
        }
    }

    @Test(arguments: [
        (#"{"image_processor_type": "CLIPImageProcessor", "size": {"height": 8, "width": 9}}"#, "size: expected equal"),
        (#"{"image_processor_type": "CLIPImageProcessor", "size": {"longest_edge": 9}}"#, "size: expected equal"),
        (#"{"image_processor_type": "CLIPImageProcessor", "size": 0}"#, "size: expected sides of 1 to 16384"),
        (#"{"image_processor_type": "CLIPImageProcessor", "size": 100000}"#, "size: expected sides of 1 to 16384"),
        (#"{"image_processor_type": "CLIPImageProcessor", "size": 20}"#, "crop_size: expected with shortest_edge 20"),
        (#"{"image_processor_type": "CLIPImageProcessor", "do_center_crop": false}"#, "crop_size: expected"),
        (#"{"image_processor_type": "ViTImageProcessor", "resample": 0}"#, "resample: expected 1 (Lanczos)"),
        (#"{"image_processor_type": "ViTImageProcessor", "do_resize": false}"#, "do_resize: expected true"),
        (#"{"image_processor_type": "ViTImageProcessor", "do_pad": true}"#, "do_pad: expected no true"),
        (#"{"image_processor_type": "ViTImageProcessor", "image_mean": [0.5, 0.5]}"#, "image_mean: expected three"),
        (#"{"image_processor_type": "ViTImageProcessor", "image_std": [0.5, 0, 0.5]}"#, "numbers above 0"),
        (#"{"image_processor_type": "ViTImageProcessor", "do_normalize": "yes"}"#, "do_normalize: expected true or"),
        (#"{"image_processor_type": "OwlViTImageProcessor"}"#, "size: expected a size, since"),
        (#"{"size": {"height": 8, "width": 8}}"#, "resample: expected the number"),
        (
            #"{"image_processor_type": "ConvNextImageProcessor", "size": 8, "crop_pct": 0.875}"#,
            "crop_pct: expected noth"
        ),
        (#"{"size": 1, "size": 2}"#, "byte"), ("{\"\u{E9}\": 1, \"e\u{301}\": 2}", "size: expected"),
        ("[]", "expected a JSON object"), ("", "byte 0"),
    ])
    func refusesWhatItCannotDo(text: String, says: String) {
        let message = failureMessage(.data) { _ = try read(text) }
        #expect(message.contains("preprocessor_config.json") && message.contains(says), "\(text): \(message)")
    }

    @Test(arguments: [
        (#"{"preprocess_cfg": {"size": [8, 9]}}"#, "size: expected equal"),
        (#"{"preprocess_cfg": {"size": 8, "resize_mode": "stretch"}}"#, "resize_mode: expected shortest"),
        (
            #"{"preprocess_cfg": {"size": 8, "resize_mode": "longest", "fill_color": 300}}"#,
            "fill_color: expected a grey"
        ),
        (#"{"preprocess_cfg": {"size": 8, "interpolation": "nearest"}}"#, "interpolation: expected bicubic"),
        ("{}", "model_cfg: expected an object"),
    ])
    func refusesWrongOpenCLIP(text: String, says: String) {
        let message = failureMessage(.data) { _ = try read(text, file: "open_clip_config.json") }
        #expect(message.contains("open_clip_config.json") && message.contains(says), "\(text): \(message)")
    }

    @Test func directoriesWithoutPreparationSaySo() throws {
        let folder = try TemporaryFolder()
        let message = failureMessage(.inputMissing) {
            _ = try PicturePreparation.read(modelDirectory: folder.path)
        }
        #expect(message.contains(folder.path) && message.contains("preprocessor_config.json, processor_config.json"))
    }

    @Test func colourStepsAreTorchvisions() throws {
        let golden = try Golden.read()
        #expect(golden.colours.count == 14)
        let picture = try Picture.read(path: Golden.folder.appendingPathComponent("pictures/small.png").path)
        for sample in golden.colours {
            let step: ColourStep =
                switch sample.kind {
                case "brightness": .brightness(sample.factor)
                case "contrast": .contrast(sample.factor)
                case "saturation": .saturation(sample.factor)
                default: .hue(sample.factor)
                }
            var values = stride(from: 0, to: picture.pixels.count, by: 3).map {
                SIMD3(Float(picture.pixels[$0]), Float(picture.pixels[$0 + 1]), Float(picture.pixels[$0 + 2]))
            }
            step.apply(to: &values)
            let found = values.flatMap { [$0.x, $0.y, $0.z] }
            let difference = zip(found, floats(sample.values)).map { abs($0 - $1) }.max() ?? .infinity
            #expect(difference < 1e-3, "\(sample.kind) \(sample.factor): \(difference)")
            var bytes = picture.pixels
            ColourStep.apply([step], to: &bytes)
            #expect(zip(bytes, found).allSatisfy { abs(Float($0) - $1) <= 0.5 })
        }
    }

    /// Each step's factor is uniform in its range, and the 24 orders are equally likely: 100 times of 2400, within six standard
    /// deviations (√100 = 10); a quarter of the pictures is left alone (√(3200 · 3/16) = 24).
    @Test func colourStepsAreDrawnEvenly() {
        let jitter = ColourJitter(brightness: 0.4, contrast: 1.5, saturation: 0.2, hue: 0.1, probability: 0.75)
        var orders: [String: Int] = [:]
        for row in 0..<3200 {
            let steps = ColourStep.steps(jitter, draw(row))
            #expect(steps == ColourStep.steps(jitter, draw(row)))
            for step in steps {
                switch step {
                case .brightness(let f): #expect((0.6...1.4).contains(f))
                case .contrast(let f): #expect((0...2.5).contains(f))
                case .saturation(let f): #expect((0.8...1.2).contains(f))
                case .hue(let f): #expect((-0.1...0.1).contains(f))
                }
            }
            let order = steps.map { "\($0)".prefix { $0 != "(" } }.joined(separator: " ")
            orders[order, default: 0] += 1
        }
        #expect(orders.count == 25)
        #expect(abs((orders.removeValue(forKey: "") ?? 0) - 800) < 150)
        #expect(orders.values.allSatisfy { abs($0 - 100) < 60 }, "\(orders)")
        #expect(ColourStep.steps(ColourJitter(), draw(0)).isEmpty)
    }

    /// Parts lie inside, have an area and proportions within their ranges (to a rounded pixel), and every place is taken.
    @Test func randomCropsAreWithinTheirRanges() {
        let crop = RandomCrop(scale: 0.2...0.6, ratio: 0.5...2)
        var (smallest, largest, left, right) = (1.0, 0.0, 1000, 0)
        for row in 0..<2000 {
            let window = crop.window(width: 320, height: 200, draw(row))
            #expect(window == crop.window(width: 320, height: 200, draw(row)))
            #expect(window.x.lowerBound >= 0 && window.x.upperBound <= 320)
            #expect(window.y.lowerBound >= 0 && window.y.upperBound <= 200)
            let area = Double(window.x.count * window.y.count) / (320 * 200)
            let ratio = Double(window.x.count) / Double(window.y.count)
            #expect((0.195...0.605).contains(area) && (0.49...2.04).contains(ratio), "\(window)")
            (smallest, largest) = (min(smallest, area), max(largest, area))
            (left, right) = (min(left, window.x.lowerBound), max(right, window.x.upperBound))
        }
        #expect(smallest < 0.21 && largest > 0.59 && left == 0 && right == 320)
    }

    /// Where no part fits, the largest in the middle: torchvision's fallback.
    @Test func cropsOfStripsAreTheirMiddle() {
        let crop = RandomCrop(scale: 0.9...1, ratio: 0.75...4 / 3)
        let wide = crop.window(width: 900, height: 30, draw(1))
        #expect(wide == PictureWindow(x: 430..<470, y: 0..<30))
        let tall = crop.window(width: 30, height: 900, draw(1))
        #expect(tall == PictureWindow(x: 0..<30, y: 430..<470))
        #expect(crop.window(width: 1, height: 1, draw(1)) == PictureWindow(x: 0..<1, y: 0..<1))
        #expect(RandomCrop(scale: 0.25...1, ratio: 1...1).neededSide(224) == 448)
    }

    /// Bounds of a crop that are hardly above 0 ask for parts and pixels beyond all numbers.
    @Test func extremeCropsAreWithinThePicture() {
        let crop = RandomCrop(scale: 1e-300...1, ratio: 1e-300...1)
        let window = crop.window(width: 9, height: 5, draw(1))
        #expect(window.x.upperBound <= 9 && window.y.upperBound <= 5 && crop.neededSide(224) > 1 << 20)
    }

    /// Whatever the fit, a strip takes memory for what stays of it; its padded square would take 3 TB.
    @Test(arguments: [.pad, .crop(side: 6), .squash(side: 6), .letterbox(grey: 0)] as [PictureFit])
    func stripsAreFitted(fit: PictureFit) {
        let strip = Picture(width: 1_000_000, height: 1, grey: 7)
        let fitted = strip.fitted(4, fit, filter: .box)
        #expect(fitted.width == 4 && fitted.height == 4 && fitted.pixels[(1 * 4 + 1) * 3] == 7)
    }

    /// With crops the decoded picture is kept, and what is kept changes nothing.
    @Test func randomCropsAreCutFromWhatIsKept() throws {
        let folder = try TemporaryFolder()
        let picture = Picture(width: 40, height: 30, pixels: (0..<3600).map { UInt8($0 * 7 % 251) })
        let path = try folder.write("a.png", try picture.pngData())
        let preparation = PicturePreparation(
            size: 8, filter: .bicubic, crop: RandomCrop(scale: 0.1...0.5),
            colours: ColourJitter(brightness: 0.5, hue: 0.2))
        let (keeping, forgetting) = (PictureStore(byteLimit: 3600), PictureStore(byteLimit: 0))
        var seen: Set<[UInt8]> = []
        for row in 0..<20 {
            let pixels = try keeping.pixels(.file(path), preparation, draw: draw(row))
            #expect(try forgetting.pixels(.file(path), preparation, draw: draw(row)) == pixels && pixels.count == 192)
            seen.insert(pixels)
        }
        #expect(seen.count == 20 && keeping.kept == (1, 3600) && forgetting.kept == (0, 0))
        // Without a draw it is the whole picture, as in evaluation.
        #expect(
            try forgetting.pixels(.file(path), preparation)
                == picture.paddedToSquare().resized(width: 8, height: 8, filter: .bicubic).pixels)
    }

    /// Bytes come from anywhere, and are asked for once.
    @Test func bytesAreAskedForWhenNeeded() throws {
        let store = PictureStore(byteLimit: 1 << 20)
        var calls = 0
        for _ in 0..<3 {
            _ = try store.pixels("shard.tar: 1.png", PicturePreparation(size: 4)) {
                calls += 1
                return try Picture(width: 5, height: 5, grey: 9).pngData()
            }
        }
        #expect(calls == 1)
        let message = failureMessage(.data) {
            _ = try store.pixels("shard.tar: 2.png", PicturePreparation(size: 4)) { [UInt8]("no picture".utf8) }
        }
        #expect(message.contains("shard.tar: 2.png"))
    }
}
