// Which layers of a published model a side's adapters belong to. Not here: adapters' files (PEFTAdapter), what the layers are called
// (Encoders/Published).

import Autograd
import Encoders
import Failures

extension ModelOrigins {
    /// The linear layers of a side's published tower by the place of their weights; nil when the side is from scratch.
    /// - Parameter name: under which the tower's parameters are declared.
    private func modules(_ side: Side, named name: String, _ configuration: RunConfig) -> [WeightPart: PublishedModule]?
    {
        guard let tower = tower(side, configuration), let model = origin(side)?.model else { return nil }
        return Dictionary(
            model.modules(of: tower).map {
                (WeightPart(parameter: "\(name).\($0.parameter)", offset: $0.offset), $0.module)
            }, uniquingKeysWith: { first, _ in first })
    }

    /// What the linear layers of the published towers are called by their publishers.
    func layerNames(_ configuration: RunConfig) -> [WeightPart: String] {
        Side.allCases.reduce(into: [:]) { names, side in
            let name = configuration.isShared ? "shared" : side.rawValue
            names.merge((modules(side, named: name, configuration) ?? [:]).mapValues(\.path)) { $1 }
        }
    }

    /// The adapters of sides of one model as `peft` has them.
    /// - Throws: `Failure(.configuration)` when one of them adapts a layer that the publisher's program does not have by itself.
    func adapter(of sides: [Side], _ configuration: RunConfig, _ model: DualEncoder) throws -> PEFTAdapter {
        var layers: [(LowRankAdapter, PublishedModule)] = []
        for side in sides {
            let name = model.isShared ? "shared" : side.rawValue
            let modules = modules(side, named: name, configuration)
            for adapter in model.parameters.adapters where adapter.layer.hasPrefix("\(name).") {
                guard let modules else {
                    layers.append((adapter, PEFTAdapter.ownModule(adapter, model.parameters)))
                    continue
                }
                guard let module = modules[adapter.part] else {
                    throw Failure(
                        .configuration,
                        "\(adapter.layer) has an adapter, but is no linear layer by itself in the program that publishes the "
                            + "\(origin(side)?.model.family.rawValue ?? "") model, where peft could adapt it; leave it out of "
                            + "model.lora.targets, or merge adapters into the weights")
                }
                layers.append((adapter, module))
            }
        }
        return PEFTAdapter(
            owner: "the \(model.isShared ? "model" : sides.map(\.rawValue).joined(separator: " and ") + " tower")",
            layers: layers, others: otherLayers(sides, configuration), of: model.parameters)
    }

    /// Layers of the published model that belong to no tower of these sides.
    private func otherLayers(_ sides: [Side], _ configuration: RunConfig) -> Set<String> {
        guard let model = sides.first.flatMap({ origin($0) })?.model else { return [] }
        let own = sides.map { configuration.encoder($0).kind }
        let towers = [(RunConfig.EncoderKind.text, model.text), (.vit, model.vision)].compactMap { kind, tower in
            own.contains(kind) ? nil : tower
        }
        return Set(towers.flatMap { model.modules(of: $0).flatMap(\.module.paths) })
    }
}
