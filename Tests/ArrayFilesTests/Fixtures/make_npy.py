"""Writes npy/*.npy: small arrays as NumPy saves them, for NPYReadTests.swift. Made with NumPy 2.4.6: python3 make_npy.py"""

import pathlib

import numpy as np
from numpy.lib import format as npy

folder = pathlib.Path(__file__).parent / "npy"
folder.mkdir(exist_ok=True)
k = np.arange(24).reshape(2, 3, 4)


def save(name, array, version=(1, 0)):
    with open(folder / f"{name}.npy", "wb") as file:
        npy.write_array(file, array, version=version, allow_pickle=True)


for code in ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]:
    save(f"quarter-{'big' if code[0] == '>' else 'little'}-{code[1:]}", ((k - 5) * 0.25).astype(code))
for code in ["<i2", ">i4", "<i8", ">i8", "<i4", "|i1"]:
    save(f"signed-{'big' if code[0] == '>' else 'little'}-{code[1:]}", (k - 5).astype(code))
for code in ["|u1", ">u2", "<u4", "<u8"]:
    save(f"unsigned-{'big' if code[0] == '>' else 'little'}-{code[1:]}", k.astype(code))
save("boolean", k % 3 == 0)
save("quarter-fortran-f4", np.asfortranarray(((k - 5) * 0.25).astype("<f4")))
save("quarter-fortran-f8", np.asfortranarray(((k - 5) * 0.25).astype(">f8")))
save("signed-fortran-i8", np.asfortranarray(k - 5))
save("quarter-version-2", ((k - 5) * 0.25).astype("<f4"), version=(2, 0))
save("quarter-version-3", ((k - 5) * 0.25).astype("<f4"), version=(3, 0))
save("scalar", np.float32(2.5))
save("vector", np.array([1, 2, 3], "<f4"))
save("empty", np.zeros((0, 7), "<f4"))
save("refused-object", np.array([{}, None], object))
save("refused-structured", np.zeros(2, [("a", "<f4"), ("b", "<i4")]))
save("refused-complex", np.zeros(2, "<c8"))
save("refused-text", np.array(["a", "bc"]))
save("refused-date", np.array(["2026-01-01"], "datetime64[D]"))
