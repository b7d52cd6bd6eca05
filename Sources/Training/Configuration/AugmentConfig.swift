// Keys of the section `data.augment`: random changes of training pictures. Not here: making them (Datasets).

import Datasets

extension RunConfig {
    /// Two numbers in order, written `[0.08, 1]`.
    public struct Span: Sendable, Equatable, ConfigValue {
        public var low: Double
        public var high: Double

        public init(_ low: Double, _ high: Double) {
            self.low = low
            self.high = high
        }

        static var typeName: String { "[number, number]" }

        init?(_ tree: ConfigTree) {
            guard case .sequence(let items) = tree.content, items.count == 2, let low = Double(items[0]),
                let high = Double(items[1])
            else { return nil }
            self.init(low, high)
        }

        var yaml: String { "[\(low.yaml), \(high.yaml)]" }

        /// Spans in order within a range that begins above 0.
        static func within(_ least: Double, _ most: Double) -> Allowed<Span> {
            Allowed(words: "in order, above \(least.yaml), at most \(most.yaml)") {
                $0.low > least && $0.low <= $0.high && $0.high <= most
            }
        }
    }

    public struct Augment: Sendable, Equatable {
        /// Shares of the picture's area; nil for no random crop.
        public var cropScale: Span?
        /// Width divided by height.
        public var cropRatio = Span(0.75, 1.3333)
        /// Pixels by which a picture is moved at most, each way.
        public var shift = 1
        public var flip = false
        public var zoom = 0.0
        public var rotate = 0.0
        public var colour = 0.0
        public var grey = 0.0
        public var brightness = 0.0
        public var contrast = 0.0
        public var saturation = 0.0
        public var hue = 0.0
        public var jitterProbability = 1.0
        public init() {}
    }
}

extension RunConfig.Augment: ConfigSection {
    mutating func visit<Visitor: ConfigVisitor>(_ keys: inout Visitor) {
        keys.value(
            "crop_scale", &cropScale, allowed: .optional(RunConfig.Span.within(0, 1)),
            "Share of its area that a random part of a picture has, which is resized to the model's size; null shows all of it."
        )
        keys.value(
            "crop_ratio", &cropRatio, allowed: RunConfig.Span.within(0, 100),
            onlyWhen: .when(cropScale != nil, "crop_scale is given"),
            "Width of that part divided by its height.")
        keys.value("shift", &shift, allowed: .within(0...4096), "Pixels by which a picture is moved at most, each way.")
        keys.value("flip", &flip, "Whether half of the pictures are mirrored left to right.")
        keys.value(
            "zoom", &zoom, allowed: .within(0...0.999),
            "Pictures are resized by 1 − zoom … 1 + zoom about their centre.")
        keys.value(
            "rotate", &rotate, allowed: .within(0...180), "Degrees by which a picture is turned at most, each way.")
        keys.value(
            "colour", &colour, allowed: .within(0...0.999),
            "The ink of each colour channel is multiplied by 1 − colour … 1 + colour.")
        keys.value("grey", &grey, allowed: .within(0...1), "Probability that a picture loses its colours.")
        keys.value(
            "brightness", &brightness, allowed: .within(0...100),
            "Pictures are multiplied by 1 − brightness … 1 + brightness, as torchvision's ColorJitter does.")
        keys.value(
            "contrast", &contrast, allowed: .within(0...100),
            "Distances from the mean grey are multiplied by 1 − contrast … 1 + contrast.")
        keys.value(
            "saturation", &saturation, allowed: .within(0...100),
            "Distances from each pixel's grey are multiplied by 1 − saturation … 1 + saturation.")
        keys.value(
            "hue", &hue, allowed: .within(0...0.5), "Hues move by −hue … hue, where 1 is all around the circle.")
        keys.value(
            "jitter_probability", &jitterProbability, allowed: .within(0...1),
            "Share of pictures whose brightness, contrast, saturation and hue change.")
    }
}

extension RunConfig {
    /// `prepared` as a training set sees it: augmented as this configuration says.
    func augmented(_ prepared: PicturePreparation) -> PicturePreparation {
        let augment = data.augment
        var result = prepared
        result.crop = augment.cropScale.map {
            RandomCrop(scale: $0.low...$0.high, ratio: augment.cropRatio.low...augment.cropRatio.high)
        }
        // A random part is resized anyway, and never has fewer pixels for it.
        if result.crop != nil { result.decoding = .scaled }
        result.colours = ColourJitter(
            brightness: Float(augment.brightness), contrast: Float(augment.contrast),
            saturation: Float(augment.saturation), hue: Float(augment.hue),
            probability: Float(augment.jitterProbability))
        result.shift = augment.shift
        result.flips = augment.flip
        result.jitter = PictureJitter(
            zoom: Float(augment.zoom), rotation: Float(augment.rotate), colour: Float(augment.colour),
            grey: Float(augment.grey))
        return result
    }
}
