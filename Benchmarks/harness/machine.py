"""What the figures depend on: processor, versions, commit, and the rates of large float32 products."""
import datetime
import json
import os
import platform
import subprocess

import measure


def said(command, folder=None):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=folder).stdout.strip()
    except OSError:
        return ""


def about(context):
    """Of this machine, these programs, today."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())
    changed = said(["git", "status", "--porcelain", "--untracked-files=no"], context.root)
    return {"cpu": model, "cores": os.cpu_count(), "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
            "system": f"{platform.system()} {platform.release().split('-')[0]}",
            "commit": said(["git", "rev-parse", "--short", "HEAD"], context.root) + (" with changes" if changed else ""),
            "date": datetime.date.today().isoformat(), "versions": versions(context)}


def versions(context):
    names = ("torch", "open_clip_torch", "sentence-transformers", "transformers", "numpy")
    code = ("import importlib.metadata as m\n"
            f"for n in {names!r}:\n"
            "    try: print(n, m.version(n), sep=' ')\n"
            "    except m.PackageNotFoundError: pass")
    peers = said([context.python, "-c", code]).splitlines()
    return [f"Python {platform.python_version()}", *peers, *said(["mpirun", "--version"]).splitlines()[:1]]


def sgemm_peak(context):
    """GFLOP/s of large float32 products in vector registers on all cores, by `fanoise doctor`."""
    said_by_doctor = measure.run([context.program, "doctor", "--json"], {"FANOISE_MATRIX_UNIT": "0"})["json"] or {}
    rate = said_by_doctor.get("speed", {}).get("gemm_all_cores")
    if not rate:
        raise measure.Failed("fanoise doctor --json does not tell speed.gemm_all_cores")
    return rate


def sgemm_of_libraries(context):
    """GFLOP/s of large float32 products on all cores, by the peers' libraries: {"NumPy": …, "PyTorch": …}."""
    return context.peer("sgemm.py", [], threads=os.cpu_count())["json"]
