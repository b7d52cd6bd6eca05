"""Writes safetensors/*.safetensors for SafetensorsReadTests.swift with the safetensors package 0.8.0 and NumPy 2.4.6."""

import pathlib

import numpy as np
import safetensors
from safetensors.numpy import save_file

folder = pathlib.Path(__file__).parent / "safetensors"
folder.mkdir(exist_ok=True)
k = np.arange(6).reshape(2, 3)
tensors = {code: (k - 2).astype(code) for code in ["float16", "float32", "float64", "int8", "int16", "int32", "int64"]}
tensors |= {code: k.astype(code) for code in ["uint8", "uint16", "uint32", "uint64"]}
tensors |= {"bool": k % 2 == 0, "scalar": np.array(2.5, "float32"), "empty": np.zeros((0, 4), "float32")}
save_file(tensors, folder / "types.safetensors", metadata={"format": "np", "quote\"\\\n": "é ↑ 😀"})

# NumPy has no bfloat16; the package takes an address under a dtype's name.
half = (((k - 2) * 0.5).astype("float32").view("uint32") >> 16).astype("uint16")
brain = safetensors.TensorSpec(dtype="bfloat16", shape=[2, 3], data_ptr=half.ctypes.data, data_len=half.nbytes)
safetensors.serialize_file({"brain": brain}, folder / "bfloat16.safetensors")
save_file({}, folder / "none.safetensors")
save_file({"a": (k - 2).astype("float32"), "b": np.arange(3, dtype="int64")}, folder / "written.safetensors", metadata={"x": "y"})
