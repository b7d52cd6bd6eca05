"""Resized pictures by Pillow 13.0.0 (NumPy 2): resizing.json has for each case a hash (FNV-1a, 64 bits) of the bytes of the result.

The input is the noise of ResizeTests.swift, as it is or of black and white alone, which makes the filters overshoot.
"""
import json, os
import numpy as np
from PIL import Image

filters = {"box": Image.BOX, "triangle": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
sizes = [
    (1, 1, 3, 2), (2, 2, 1, 1), (5, 7, 5, 3), (17, 9, 4, 30), (34, 32, 16, 16), (33, 1, 8, 5), (7, 40, 7, 13), (40, 7, 13, 7),
    (120, 90, 32, 24), (90, 120, 24, 32), (24, 18, 77, 61), (65, 262, 59, 38), (13, 208, 12, 197), (61, 122, 38, 76), (61, 123, 38, 76),
    (100, 64, 101, 63), (47, 146, 46, 144), (1, 300, 5, 3), (300, 1, 3, 5), (3, 3, 3, 3),
]


def noise(width, height):
    state, out = 7, bytearray()
    for _ in range(width * height * 3):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(state >> 24)
    return np.frombuffer(bytes(out), np.uint8).reshape(height, width, 3)


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


cases = []
for name, kind in filters.items():
    for size in sizes:
        for hard in (False, True):
            pixels = noise(*size[:2])
            pixels = (pixels >= 128).astype(np.uint8) * 255 if hard else pixels
            result = Image.fromarray(pixels).resize(size[2:], kind)
            cases.append({"filter": name, "size": size, "hard": hard, "hash": fnv(result.tobytes())})
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "resizing.json"), "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
