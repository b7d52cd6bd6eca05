// How a published model wants its pictures: the files of transformers and open_clip. Not here: doing it (PictureStore).

import ArrayFiles
import Failures
public import Foundation
import Pictures

extension PicturePreparation {
    /// Reads how a model directory wants its pictures prepared: `preprocessor_config.json`, the image processor in
    /// `processor_config.json`, or `preprocess_cfg` in `open_clip_config.json`, the first that is there.
    ///
    /// What a file leaves out has the default of its processor's class. Alpha is composed on white, where transformers drops it.
    /// - Throws: `Failure(.inputMissing)` if none of the files is there, `Failure(.data)` naming file and key for what is wrong, and for
    ///   what is not done here: rectangles, padding, patches of variable number, other resampling.
    public static func read(modelDirectory directory: String) throws -> PicturePreparation {
        try read(of: directory) { name in
            let path = directory + "/" + name
            guard FileManager.default.fileExists(atPath: path) else { return nil }
            guard let data = FileManager.default.contents(atPath: path) else {
                throw Failure(.inputMissing, "\(path) cannot be read; check its permissions")
            }
            return data
        }
    }

    /// The same from files that lie elsewhere.
    /// - Parameters:
    ///   - model: how messages call the directory.
    ///   - file: the contents of a file by its name; nil when there is none.
    public static func read(of model: String, file: (String) throws -> Data?) throws -> PicturePreparation {
        let files: [(String, (ProcessorKeys) throws -> PicturePreparation)] = [
            ("preprocessor_config.json", { try PicturePreparation(transformers: $0) }),
            ("processor_config.json", { try PicturePreparation(transformers: $0.object("image_processor")) }),
            ("open_clip_config.json", { try PicturePreparation(openCLIP: $0) }),
        ]
        for (name, make) in files {
            guard let data = try file(name) else { continue }
            return try make(ProcessorKeys(data, place: "\(model)/\(name)"))
        }
        throw Failure(
            .inputMissing,
            "\(model) does not say how its pictures are prepared: it has none of \(files.map(\.0).joined(separator: ", "))"
        )
    }

    /// The keys of an image processor of transformers.
    init(transformers keys: ProcessorKeys) throws {
        let family = try ProcessorFamily(keys)
        for (name, isOn) in keys.switches where isOn && !ProcessorFamily.understood.contains(name) {
            throw keys.failure(name, "no true: this is not done here")
        }
        for name in ["crop_pct", "rescale_offset", "max_num_patches", "patch_size"] where keys.has(name) {
            throw keys.failure(name, "nothing: this is not done here")
        }
        guard try keys.flag("do_resize") ?? true else {
            throw keys.failure("do_resize", "true: a model's pictures have one size")
        }
        let crops = try keys.flag("do_center_crop") ?? family.crops
        let crop = crops ? try keys.square("crop_size", default: family.cropSize) : nil
        switch try keys.extent("size", intIsSquare: family.intIsSquare, default: family.size) {
        case .shortest(let side):
            guard let crop, crop <= side else {
                throw keys.failure("crop_size", "with shortest_edge \(side), a centre crop that is no larger")
            }
            self.init(size: crop, fit: .crop(side: side))
        case .square(let side):
            guard crop ?? side <= side else { throw keys.failure("crop_size", "at most the size \(side)") }
            self.init(size: crop ?? side, fit: .squash(side: side))
        }
        filter = try keys.filter("resample", default: family.filter)
        let factor = try keys.flag("do_rescale") ?? true ? try keys.number("rescale_factor") ?? 1 / 255 : 1
        let normalizes = try keys.flag("do_normalize") ?? true
        normalization = try keys.normalization(
            mean: normalizes ? keys.channels("image_mean", default: family.mean) : SIMD3(repeating: 0),
            deviation: normalizes ? keys.channels("image_std", default: family.deviation) : SIMD3(repeating: 1),
            factor: factor)
    }

    /// The keys of an open_clip model; what `preprocess_cfg` leaves out is open_clip's default.
    init(openCLIP model: ProcessorKeys) throws {
        let keys = model.has("preprocess_cfg") ? try model.object("preprocess_cfg") : ProcessorKeys(place: model.place)
        let size =
            if keys.has("size") { try keys.square("size", default: nil) } else {
                try model.object("model_cfg").object("vision_cfg").square("image_size", default: 224)
            }
        let fit: PictureFit
        switch try keys.word("resize_mode") ?? "shortest" {
        case "shortest": fit = .crop(side: size, rounding: .even)
        case "squash": fit = .squash(side: size)
        case "longest":
            let grey = try keys.number("fill_color") ?? 0
            guard let grey = UInt8(exactly: grey) else { throw keys.failure("fill_color", "a grey level 0 to 255") }
            fit = .letterbox(grey: grey)
        default: throw keys.failure("resize_mode", "shortest, longest or squash")
        }
        self.init(size: size, fit: fit)
        switch try keys.word("interpolation") ?? "bicubic" {
        // In evaluation, open_clip takes "random" for this, too.
        case "bicubic", "random": filter = .bicubic
        case "bilinear": filter = .triangle
        default: throw keys.failure("interpolation", "bicubic or bilinear")
        }
        normalization = try keys.normalization(
            mean: keys.channels("mean", default: ProcessorFamily.clipMean),
            deviation: keys.channels("std", default: ProcessorFamily.clipDeviation), factor: 1 / 255)
    }
}

/// What the classes of transformers take for keys that a file leaves out.
struct ProcessorFamily {
    var size: PictureExtent?
    /// Whether a size that is one number means both sides, or the shorter one.
    var intIsSquare = true
    var crops = false
    var cropSize: Int?
    var filter: ResizeFilter?
    var mean: SIMD3<Double>?
    var deviation: SIMD3<Double>?

    static let clipMean = SIMD3(0.48145466, 0.4578275, 0.40821073)
    static let clipDeviation = SIMD3(0.26862954, 0.26130258, 0.27577711)
    private static let half = SIMD3(repeating: 0.5)
    /// Switches that are followed, or that change nothing here.
    static let understood: Set<String> = [
        "do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb",
    ]

    private static let clip = ProcessorFamily(
        size: .shortest(224), intIsSquare: false, crops: true, cropSize: 224, filter: .bicubic, mean: clipMean,
        deviation: clipDeviation)
    private static let known: [String: ProcessorFamily] = [
        "CLIP": clip, "ChineseCLIP": clip, "Bit": clip,
        "ViT": ProcessorFamily(size: .square(224), filter: .triangle, mean: half, deviation: half),
        "Siglip": ProcessorFamily(
            size: .square(224), intIsSquare: false, filter: .bicubic, mean: half, deviation: half),
        "DeiT": ProcessorFamily(
            size: .square(256), crops: true, cropSize: 224, filter: .bicubic, mean: half, deviation: half),
        "Blip": ProcessorFamily(size: .square(384), filter: .bicubic, mean: clipMean, deviation: clipDeviation),
    ]

    /// The family that a file names; of any other class, and of none, nothing is assumed.
    init(_ keys: ProcessorKeys) throws {
        var name = try keys.word("image_processor_type") ?? keys.word("feature_extractor_type") ?? ""
        for suffix in ["Fast", "Pil", "ImageProcessor", "FeatureExtractor"] where name.hasSuffix(suffix) {
            name.removeLast(suffix.count)
        }
        self = Self.known[name] ?? ProcessorFamily()
    }

    private init(
        size: PictureExtent? = nil, intIsSquare: Bool = true, crops: Bool = false, cropSize: Int? = nil,
        filter: ResizeFilter? = nil, mean: SIMD3<Double>? = nil, deviation: SIMD3<Double>? = nil
    ) {
        self.size = size
        self.intIsSquare = intIsSquare
        self.crops = crops
        self.cropSize = cropSize
        self.filter = filter
        self.mean = mean
        self.deviation = deviation
    }
}
