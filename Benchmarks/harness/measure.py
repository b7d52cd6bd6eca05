"""Runs one command and measures it from outside: wall time, peak memory of all its processes, its last line of JSON."""
import json
import os
import subprocess
import threading
import time


def descendants(root):
    """The process and everything it started, from /proc."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(name))
            except (OSError, IndexError, ValueError):
                continue
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children.get(process, [])
    return found


def resident(process):
    """Proportional resident bytes: memory that several processes share counts once in their sum."""
    try:
        with open(f"/proc/{process}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return 0


class Failed(Exception):
    """A command that did not end well, with what it said."""


def run(command, environment=None, folder=None, timeout=3600):
    """Returns {seconds, peak_bytes, output (text), json (last line that is an object, or None)}."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **(environment or {})}, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    peak, over = 0, threading.Event()

    def watch():
        nonlocal peak
        while not over.wait(0.1):
            peak = max(peak, sum(resident(one) for one in descendants(process.pid)))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Failed(f"{' '.join(command)}\ntook longer than {timeout} s")
    finally:
        over.set()
        watcher.join()
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        raise Failed(f"{' '.join(command)}\nended with {process.returncode}:\n{output[-3000:]}")
    found = None
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line)
                break
            except ValueError:
                continue
    return {"seconds": seconds, "peak_bytes": peak, "output": output, "json": found}
