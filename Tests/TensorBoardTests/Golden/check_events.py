#!/usr/bin/env python3
"""Reads a run's folder with TensorBoard's own reader and compares with the run's metrics.jsonl and spectra.jsonl.

Usage: check_events.py RUN
Checked with tensorboard 2.21.0 (EventAccumulator), Python 3.11. No test needs it: EventTests.swift holds the bytes of a small file
that this script accepted.
"""
import io, json, math, struct, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator, HISTOGRAMS, IMAGES, SCALARS

run = sys.argv[1]
reader = EventAccumulator(run, size_guidance={SCALARS: 0, HISTOGRAMS: 0, IMAGES: 0})
reader.Reload()
tags = reader.Tags()
scalars = {(tag, e.step): e.value for tag in tags["scalars"] for e in reader.Scalars(tag)}
fixed = {"epoch", "loss", "precision_at_1", "temperature", "learning_rate", "gradient_norm", "noise_to_signal", "samples_per_second",
         "gemm_utilisation"}

wanted = {}
for line in open(f"{run}/metrics.jsonl"):
    row = json.loads(line)
    step = row.pop("step")
    seconds = row.pop("seconds", {})
    if any(seconds.values()):
        wanted.update({(f"seconds/{k}", step): v for k, v in seconds.items()})
    for key, value in row.items():
        name = f"train/{key}" if key in fixed or "." not in key else key.replace(".", "/", 1)
        if value is not None:
            wanted[name, step] = value

as_float32 = lambda x: struct.unpack("f", struct.pack("f", x))[0]
wrong = [(k, v, scalars.get(k)) for k, v in wanted.items() if scalars.get(k) != as_float32(v)]
extra = set(scalars) - set(wanted)
assert not wrong, f"{len(wrong)} scalars differ, first {wrong[:3]}"
assert not extra, f"{len(extra)} scalars too many, first {sorted(extra)[:3]}"

spectra = {}
for line in open(f"{run}/spectra.jsonl"):
    row = json.loads(line)
    spectra[f"{row['side']}/log10_singular_value", row["step"]] = row
histograms = {(tag, e.step): e.histogram_value for tag in tags["histograms"] for e in reader.Histograms(tag)}
assert set(histograms) == set(spectra), set(histograms) ^ set(spectra)
for key, histogram in histograms.items():
    greatest = math.log10(spectra[key]["singular_values"][0])
    assert abs(histogram.max - greatest) < 1e-3, (key, histogram.max, greatest)
    assert abs(sum(histogram.bucket) - histogram.num) < 1e-9, key
    assert len(histogram.bucket) == len(histogram.bucket_limit) and histogram.bucket_limit[-1] >= histogram.max, key

pictures = [e for tag in tags["images"] for e in reader.Images(tag)]
for picture in pictures:
    data = picture.encoded_image_string
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", data[16:24]) == (picture.width, picture.height)
print(f"{len(scalars)} scalars, {len(histograms)} histograms, {len(pictures)} pictures: all as written")
