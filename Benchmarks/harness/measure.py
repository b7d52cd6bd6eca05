"""Runs one command and measures it from outside: wall and processor time, peak memory of all its processes, what else the machine did."""
import json
import os
import resource
import signal
import subprocess
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


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
    """Resident bytes, shared ones with them. Costs nothing."""
    try:
        with open(f"/proc/{process}/statm") as file:
            return os.sysconf("SC_PAGE_SIZE") * int(file.read().split()[1])
    except (OSError, IndexError):
        return 0


def proportional(process):
    """Proportional resident bytes: memory that several processes share counts once in their sum. The kernel walks every page for it: 44 ms
    for two processes of 11 GB together, ten times a second almost half a core."""
    try:
        with open(f"/proc/{process}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return 0


def machine_seconds():
    """Processor seconds of everything since the machine started, idle time apart (what its host took away counts as used)."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, soft, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + soft + steal) / TICKS


def children_seconds():
    """Processor seconds of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Failed(Exception):
    """A command that did not end well, with what it said."""


def run(command, environment=None, folder=None, timeout=1800, watch=None):
    """Returns {seconds, cpu_seconds, others (cores that other processes used), peak_bytes, output (text), json (last line that is an
    object, or None), started (time.time())}. `watch()` is called ten times a second, more often when it asks for it."""
    before, own = machine_seconds(), children_seconds()
    started, start = time.time(), time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **(environment or {})}, text=True, start_new_session=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    peak, over = 0, threading.Event()

    def look():
        """Ten times a second; in full only where memory has grown, so that looking takes nothing from what is measured."""
        nonlocal peak
        highest = 0
        while not over.wait(0.1):
            processes = descendants(process.pid)
            size = sum(map(resident, processes))
            if size > 1.02 * highest:
                highest, peak = size, max(peak, sum(map(proportional, processes)))

    watchers = []
    try:
        for target, arguments in [(look, ()), (watch, (over,))]:
            if target:
                watcher = threading.Thread(target=target, args=arguments, daemon=True)
                watcher.start()
                watchers.append(watcher)
        output, _ = process.communicate(timeout=timeout)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failed(f"{' '.join(command)}\ntook longer than {timeout} s") from None
        raise
    finally:
        over.set()
        for watcher in watchers:
            watcher.join()
    seconds, cpu = time.perf_counter() - start, children_seconds() - own
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
    others = max(0.0, machine_seconds() - before - cpu) / max(seconds, 1e-9)
    return {"seconds": seconds, "cpu_seconds": cpu, "others": others, "peak_bytes": peak, "output": output, "json": found,
            "started": started}
