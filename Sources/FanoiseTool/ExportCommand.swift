// `fanoise export`: parsing and printing only. Not here: what is written (Training/Export).

public import ArgumentParser
import Failures
public import Training

extension ExportFormat: ExpressibleByArgument {}

/// Writes a trained model as a directory that other tools load.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a model's directory for transformers, sentence-transformers or open_clip.",
        discussion: """
            Weights get the names, shapes and types that they were published with; tokenizer and configuration come along byte for byte; \
            README.md is a short card of the trained model (open-clip and --model keep the published one). \
            A model from scratch is written where one of these tools has exactly such a model: a text and a picture encoder as \
            open-clip, or as huggingface (CLIPModel). What has no exact form is refused, and said. Adapters (model.lora) are added to the \
            weights; with --adapters separate, they alone are written, as a folder of peft.
            """)

    @OptionGroup var source: CheckpointOptions
    @Option(help: "The directory to write; it must not exist.") var output: String
    @Option(help: "huggingface, sentence-transformers or open-clip.") var format = ExportFormat.huggingFace
    @Option(help: "query or target: that side's encoder alone.") var side: Side?
    @Option(help: "merged into the weights, or separate: a folder that peft loads onto the model.")
    var adapters = AdapterForm.merged
    @Flag(help: "Print one JSON object on standard output.") var json = false

    /// What becomes of adapters.
    enum AdapterForm: String, CaseIterable, ExpressibleByArgument {
        case merged, separate
    }

    func validate() throws {
        guard adapters == .merged || format == .huggingFace else {
            throw ValidationError("--adapters separate is a folder of peft, whatever the --format: leave that out")
        }
    }

    func run() throws {
        let (source, output, format, side, adapters, json) = (source, output, format, side, adapters, json)
        try WorldOptions.alone { communicator in
            let model = try source.model(communicator)
            guard adapters == .merged else {
                try model.exportAdapters(side: side, to: output)
                tell("\(output): adapters for peft")
                if json { try printJSON(ExportResult(output: output, format: "peft", remarks: [])) }
                return
            }
            let remarks = try model.export(format, side: side, to: output)
            for remark in remarks { tell("note: \(remark)") }
            tell("\(output): a model for \(format.rawValue)")
            if json { try printJSON(ExportResult(output: output, format: format.rawValue, remarks: remarks)) }
        }
    }
}

private struct ExportResult: Encodable {
    let output: String
    let format: String
    let remarks: [String]
}
