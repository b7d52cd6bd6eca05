#!/usr/bin/env python3
"""Times fanoise and its peers alternately (A B A B …) on this machine; writes docs/benchmarks.json and docs/benchmarks.md.

  launch/bench                     every case
  launch/bench minilm-train        one of them
  launch/bench --list

A figure is the median of the rounds, beside the least and the greatest. Ratios are of medians of one session. Before a case is timed,
both sides must show the same losses on the same rows from the same weights.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys

import cases
from measure import Failed

TITLE = "# Benchmarks\n"


def machine(program):
    def text(command):
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                 platform.machine())
    doctor = subprocess.run([program, "doctor", "--json"], capture_output=True, text=True)
    try:
        speed = json.loads(doctor.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        speed = {}
    return {"cpu": model, "cores": os.cpu_count(), "commit": text(["git", "rev-parse", "--short", "HEAD"]),
            "date": datetime.date.today().isoformat(), "doctor": speed}


def spread(values):
    return {"minimum": min(values), "median": statistics.median(values), "maximum": max(values)}


def measure(case, context, rounds):
    """Alternates the arms of a case; returns one record."""
    agreement = case.agreement(context)
    results = {arm.name: [] for arm in case.arms}
    for index in range(rounds):
        for arm in case.arms:
            result = arm.run(context)
            results[arm.name].append(result)
            print(f"{case.name}  round {index + 1}/{rounds}  {arm.name}: {result['rate']:.1f} {case.unit}, "
                  f"{result['peak_bytes'] / 1e6:.0f} MB", file=sys.stderr, flush=True)
    record = {"case": case.name, "what": case.what, "unit": case.unit, "agreement": agreement, "arms": {}}
    for arm in case.arms:
        record["arms"][arm.name] = {
            "rate": spread([result["rate"] for result in results[arm.name]]),
            "peak_bytes": spread([result["peak_bytes"] for result in results[arm.name]]),
            "command": arm.words, **results[arm.name][-1].get("more", {})}
    best = max((name for name in record["arms"] if not name.startswith("fanoise")),
               key=lambda name: record["arms"][name]["rate"]["median"])
    record["best_peer"] = best
    return record


def table(record):
    peer = record["arms"][record["best_peer"]]
    lines = [f"## {record['case']}\n", record["what"] + "\n", f"Agreement before timing: {record['agreement']}\n",
             f"| arm | {record['unit']}: median | least … greatest | ratio to the better peer | peak MB | memory ratio |",
             "|---|---|---|---|---|---|"]
    for name, arm in record["arms"].items():
        rate, memory = arm["rate"], arm["peak_bytes"]["median"]
        lines.append(
            f"| {name} | {rate['median']:.1f} | {rate['minimum']:.1f} … {rate['maximum']:.1f} | "
            f"{rate['median'] / peer['rate']['median']:.2f} | {memory / 1e6:.0f} | "
            f"{memory / peer['peak_bytes']['median']:.2f} |")
    notes = [f"`{name}`: `{arm['command']}`" for name, arm in record["arms"].items()]
    return "\n".join(lines) + "\n\n" + "  \n".join(notes) + "\n"


def document(records, about):
    head = (f"{TITLE}\nMade by `launch/bench {' '.join(sorted(records))}`, commit {about['commit']}, {about['date']}; "
            f"{about['cpu']}, {about['cores']} cores; {about.get('versions', '')}.\n\nEach case runs its arms alternately in one "
            "session. Rates are medians over the rounds of medians over steps; peak memory is the proportional resident size of "
            "all processes of an arm.\n")
    return head + "\n" + "\n".join(table(records[name]) for name in sorted(records))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="names; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--output", default="docs/benchmarks", help="path of the two files without their extension")
    options = parser.parse_args()
    known = {case.name: case for case in cases.ALL}
    if options.list:
        for case in cases.ALL:
            print(f"{case.name:16} {case.what}")
        return
    for name in options.cases:
        if name not in known:
            sys.exit(f"no case {name}; there are {', '.join(known)}")
    context = cases.Context()
    about = machine(context.program)
    path = options.output + ".json"
    records = {}
    if os.path.exists(path):
        with open(path) as file:
            records = json.load(file).get("cases", {})
    about["versions"] = context.versions()
    for name in options.cases or known:
        try:
            records[name] = measure(known[name], context, options.rounds)
        except Failed as failure:
            sys.exit(f"case {name}: {failure}")
        print(table(records[name]))
    with open(path, "w") as file:
        json.dump({"machine": about, "cases": records}, file, indent=1, sort_keys=True)
        file.write("\n")
    with open(options.output + ".md", "w") as file:
        file.write(document(records, about))


if __name__ == "__main__":
    main()
