"""docs/benchmarks.md out of the records of docs/benchmarks.json. Everything it says of a run is computed from the record."""
import statistics

HEAD = """# Benchmarks

Made by `launch/bench`; do not edit. Each case runs its arms alternately in one session (A B C A B C …) after it has checked that they compute
the same. *n × t* is n processes of t threads. A value is the median of the rounds, beside the least and the greatest. *Ratio* is how many
times fanoise is better than that arm: of the medians, and in parentheses the median of the ratios of single rounds, which slow hours of
a shared machine touch less. GFLOP/s counts what the mathematics needs, once for all arms (`Benchmarks/harness/flops.py`): padding and
recomputation are not useful. *Of sgemm* is that over the rate at which NumPy's BLAS or PyTorch, whichever is faster, multiplies large
float32 matrices (`Benchmarks/peers/sgemm.py`): measured in every round, and the median of the rounds as the arms' values; – where a case was
run before this was measured. *Of peak* is that over the fastest of many large products that `fanoise doctor` forms just before and after the
case, with fanoise's own code in vector registers; on the matrix unit of a processor that has one, products may be faster than both. Memory is
the largest proportional resident size of all processes of an arm, looked at whenever their resident size has grown.
"""


def number(value):
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"


def summary(values):
    return {"minimum": min(values), "median": statistics.median(values), "maximum": max(values)}


def is_ours(name):
    return name.startswith("fanoise")


def ratios(record, name):
    """(of medians, median of the rounds'), fanoise over arm `name`; None where there is nothing to compare."""
    first = next((arm for arm in record["arms"] if is_ours(arm)), None)
    if first is None or is_ours(name):
        return None
    ours, theirs = record["arms"][first], record["arms"][name]
    better = (lambda a, b: b / a) if record["lower_is_better"] else (lambda a, b: a / b)
    pairs = [better(a, b) for a, b in zip(ours["values"], theirs["values"])]
    return better(ours["value"]["median"], theirs["value"]["median"]), statistics.median(pairs)


def flop_rate(record, value):
    """GFLOP/s of a value."""
    if not record.get("flops") or not value:
        return None
    return record["flops"] / value / 1e9 if record["lower_is_better"] else record["flops"] * value / 1e9


def library_sgemm(record):
    """(library, GFLOP/s) of the faster one; None in a record without them."""
    medians = {name: statistics.median(rates) for name, rates in record.get("sgemm_of_libraries", {}).items() if rates}
    return max(medians.items(), key=lambda told: told[1]) if medians else None


def shares(record, rate):
    """Two cells: a rate over the libraries' and over fanoise's own."""
    library = library_sgemm(record)
    return [f"{100 * rate / library[1]:.0f} %" if rate and library else "–",
            f"{100 * rate / record['sgemm_peak']:.0f} %" if rate else "–"]


def row(record, name):
    arm, best = record["arms"][name], record["arms"].get(record.get("best_peer"))
    value, memory = arm["value"], arm["peak_bytes"]["median"]
    both, rate = ratios(record, name), flop_rate(record, arm["value"]["median"])
    cells = [name, number(value["median"]), f"{number(value['minimum'])} … {number(value['maximum'])}",
             f"{both[0]:.2f} ({both[1]:.2f})" if both else "", number(rate),
             *shares(record, rate), f"{memory / 1e6:.0f}",
             f"{memory / best['peak_bytes']['median']:.2f}" if best else "–"]
    return "| " + " | ".join(cells) + " |"


def section(record):
    about = record["machine"]
    lines = [f"## {record['case']}\n", record["what"] + "\n",
             f"| arm | {record['unit']} | least … greatest | ratio | GFLOP/s | of sgemm | of peak | peak MB | of the better peer's memory |",
             "|---|---|---|---|---|---|---|---|---|"]
    lines += [row(record, name) for name in record["arms"]]
    lines.append("")
    for label in sorted({label for arm in record["arms"].values() for label in arm["more"]}):
        told = [f"{name} {number(arm['more'][label])}" for name, arm in record["arms"].items() if label in arm["more"]]
        lines.append(f"- {label}: {', '.join(told)}")
    lines.append(f"- agreement before timing: {record['agreement']}")
    for name, message in record["failed_arms"].items():
        lines.append(f"- **{name} failed**: {message.strip().splitlines()[-1]}")
    others = max(arm["others"]["maximum"] for arm in record["arms"].values())
    library = library_sgemm(record)
    sgemm = f"sgemm {library[1]:.0f} ({library[0]}), " if library else ""
    lines.append(f"- {record['rounds']} round{'s' * (record['rounds'] > 1)}; {sgemm}peak {record['sgemm_peak']:.0f} GFLOP/s; "
                 f"other processes used up to {others:.1f} of {about['cores']} cores meanwhile{'; **the machine was busy**' if others > 0.25 else ''}")
    lines.append(f"- `launch/bench {record['case']}`, commit {about['commit']}, {about['date']}; {about['cpu']}, {about['cores']} cores, "
                 f"{about['memory_gb']} GB, {about['system']}; {', '.join(about['versions'])}")
    lines += [f"- {name}: `{arm['command']}`" for name, arm in record["arms"].items()]
    return "\n".join(lines) + "\n"


def overview(records):
    lines = ["| case | fanoise | unit | better peer | ratio | of sgemm | of peak | memory, of the better peer's |",
             "|---|---|---|---|---|---|---|---|"]
    for record in records:
        ours = next((name for name in record["arms"] if is_ours(name)), None)
        if ours is None:
            continue
        arm, best = record["arms"][ours], record.get("best_peer")
        rate = flop_rate(record, arm["value"]["median"])
        lines.append("| " + " | ".join([
            f"[{record['case']}](#{record['case']})", number(arm["value"]["median"]), record["unit"],
            f"{best}: {number(record['arms'][best]['value']['median'])}" if best else "–",
            f"{ratios(record, best)[0]:.2f}" if best else "–", *shares(record, rate),
            f"{arm['peak_bytes']['median'] / record['arms'][best]['peak_bytes']['median']:.2f}" if best else "–"]) + " |")
    return "\n".join(lines) + "\n"


def document(records):
    return "\n".join([HEAD, overview(records), *(section(record) for record in records)])
