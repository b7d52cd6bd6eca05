// Made by Golden/make_events.py with TensorBoard's own writer. Not here: what is expected of it (EventTests.swift).

enum GoldenEvents {
    static let file = """
        GAAAAAAAAACjf0siCQAAAAAASpNAGg1icmFpbi5FdmVudDoyZbjT+w8AAAAAAAAAbVMrCQkAAAAAAEqTQBApOgIIAWawhieyAAAA
        AAAAACcxngcJAAAAAABKk0AQrAIqowEKEQoKdHJhaW4vbG9zcxXNzMw9ChYKD2jDpHVzZXIvZ3LDtsOfZRUI5TyeClMKDnF1ZXJ5
        L3NwZWN0cnVtKkEJAAAAAAAAAEARAAAAAAAAAEAZAAAAAAAACEAhAAAAAAAAGEApAAAAAAAAKEAyCAAAAAAAAABAOggAAAAAAAAI
        QAohCgx1bnNlZW4vZm91bmQiEQgCEKwCGAMiCIlQTkcNChoKzOMfVg==
        """
}
