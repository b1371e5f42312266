"""machine.json: what the figures were measured on."""

import os
import platform
import re
import sys

from places import find_tool
from processes import answer

GPU_FIELDS = ["name", "driver_version", "pstate", "temperature.gpu", "power.draw", "power.limit",
              "clocks.sm", "clocks.max.sm", "clocks.mem", "memory.total", "memory.used",
              "utilization.gpu", "persistence_mode", "compute_mode", "mig.mode.current"]
TORCH_VERSION = "from importlib.metadata import version; print(version('torch'))"


def gpus():
    """Each GPU's present state, or None where nvidia-smi does not answer."""
    text = answer(["nvidia-smi", f"--query-gpu={','.join(GPU_FIELDS)}", "--format=csv,noheader"], 8)
    if text is None:
        return None
    return [dict(zip(GPU_FIELDS, line.split(", "))) for line in text.splitlines()]


def first_line(path, pattern):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.search(pattern, file.read(), re.MULTILINE)
    except OSError:
        return None
    return found[1] if found else None


def libc():
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        return None


def describe(job):
    job.results.machine.update({
        "cpu": first_line("/proc/cpuinfo", r"^model name\s*: (.*)$") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "system": first_line("/etc/os-release", r'^PRETTY_NAME="?(.*?)"?$'),
        "kernel": platform.release(), "libc": libc(), "python": sys.version.split()[0],
        "torch": answer(["python3", "-c", TORCH_VERSION], 8),
        "tools": {tool: find_tool(tool) for tool in ("nvidia-smi", "compute-sanitizer", "ncu", "nvcc")},
        "library_path": job.library_path, "gpus": {"before": gpus()}})


def describe_after(job, part):
    """The GPU's clocks and temperature once more, where they could be had before."""
    states = job.results.machine.get("gpus", {})
    if states.get("before"):
        states[f"after {part}"] = gpus()
