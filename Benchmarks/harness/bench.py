#!/usr/bin/env python3
"""Times fanoise and its peers alternately (A B A B …) on this machine; writes docs/benchmarks.json and docs/benchmarks.md.

  launch/bench                     every case
  launch/bench vit quickstart      those whose names are or begin so
  launch/bench --list

Both files keep the cases of earlier runs that are not run again. A case that fails is reported, and the others go on; then the exit status
is 1.
"""
import argparse
import json
import os
import signal
import sys
import time

import cases
import machine
import report
from measure import Failed


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure(case, context, rounds):
    """Alternates the arms of a case; returns one record. An arm that fails keeps the rounds that it ran and runs no more; fanoise's fails the case."""
    begin = time.perf_counter()
    say(f"{case.name}: checking that both sides compute the same")
    agreement = case.agreement(context)
    flops = case.flops(context) if case.flops else None
    peak = machine.sgemm_peak(context)
    rounds = min(rounds, case.most_rounds or rounds)
    results, failed, libraries = {arm.name: [] for arm in case.arms}, {}, []
    for index in range(rounds):
        if flops:
            try:
                libraries.append(machine.sgemm_of_libraries(context))
            except Exception as failure:  # The arms do not need it.
                say(f"{case.name}  round {index + 1}/{rounds}  the libraries' products failed: {failure}")
        for arm in case.arms:
            if arm.name in failed:
                continue
            try:
                result = arm.run(context)
            except Exception as failure:  # A peer's output may be wrong in any way: that is its arm's fault alone.
                if report.is_ours(arm.name):
                    raise
                failed[arm.name] = f"{str(failure).strip()} (round {index + 1})"
                say(f"{case.name}  {arm.name} failed: {failure}")
                continue
            results[arm.name].append(result)
            say(f"{case.name}  round {index + 1}/{rounds}  {arm.name}: {report.number(result['value'])} {case.unit}, "
                f"{result['peak_bytes'] / 1e6:.0f} MB, others used {result['others']:.1f} cores")
    record = {"case": case.name, "what": case.what, "unit": case.unit, "lower_is_better": case.lower_is_better, "agreement": agreement,
              "flops": flops, "sgemm_peak": max(peak, machine.sgemm_peak(context)),
              "sgemm_of_libraries": {name: [told[name] for told in libraries] for name in (libraries[0] if libraries else ())},
              "rounds": rounds, "arms": {}, "failed_arms": failed}
    for arm in case.arms:
        told = results[arm.name]
        if not told:
            continue
        values = [result["value"] for result in told]
        record["arms"][arm.name] = {
            "values": values, "value": report.summary(values), "command": arm.words,
            "peak_bytes": report.summary([result["peak_bytes"] for result in told]),
            "others": report.summary([result["others"] for result in told]),
            "cpu_seconds": report.summary([result["cpu_seconds"] for result in told]),
            "more": {label: report.summary([result["more"][label] for result in told])["median"] for label in told[0].get("more", {})}}
    peers = [name for name in record["arms"] if not report.is_ours(name)]
    if case.compares and not peers:
        raise Failed("no peer ran: " + "; ".join(failed.values()))
    if peers:
        choose = min if case.lower_is_better else max
        record["best_peer"] = choose(peers, key=lambda name: record["arms"][name]["value"]["median"])
    record["seconds"] = time.perf_counter() - begin
    return record


def chosen(names):
    """The cases of these names, or whose names begin so; all without names."""
    found = []
    for name in names:
        matching = [case for case in cases.ALL if case.name == name] or [case for case in cases.ALL if case.name.startswith(name)]
        if not matching:
            sys.exit(f"no case {name}; there are {', '.join(case.name for case in cases.ALL)}")
        found += [case for case in matching if case not in found]
    return found if names else cases.ALL


def load(path):
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)["cases"]


def save(records, output):
    """Both files, in the order of the cases."""
    order = {case.name: index for index, case in enumerate(cases.ALL)}
    known = sorted((record for record in records.values() if record["case"] in order), key=lambda record: order[record["case"]])
    with open(output + ".json", "w", encoding="utf-8") as file:
        json.dump({"cases": {record["case"]: record for record in known}}, file, indent=1, ensure_ascii=False)
        file.write("\n")
    with open(output + ".md", "w", encoding="utf-8") as file:
        file.write(report.document(known))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="names or their beginnings; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--output", default="docs/benchmarks", help="path of the two files without their extension")
    options = parser.parse_args()
    if options.list:
        for case in cases.ALL:
            print(f"{case.name:24} {case.what}")
        return
    if options.rounds < 1:
        sys.exit("--rounds must be 1 or more")
    # What is being measured ends, too (measure.run).
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    selected, context = chosen(options.cases), cases.Context()
    about = machine.about(context)
    records, failures = load(options.output + ".json"), {}
    for case in selected:
        try:
            records[case.name] = {**measure(case, context, options.rounds), "machine": about}
        except Exception as failure:  # Whatever it is, the other cases go on.
            failures[case.name] = f"{type(failure).__name__}: {failure}"
            say(f"case {case.name} failed: {failures[case.name]}")
            continue
        save(records, options.output)
        print(report.section(records[case.name]), flush=True)
    for name, message in failures.items():
        say(f"failed: {name}: {' '.join(message.split())[:400]}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
