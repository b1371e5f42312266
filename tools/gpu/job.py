"""What a part has to work with."""

import os
import re
import time
from pathlib import Path

import processes


class LeftOut(Exception):
    """A part cannot be done here, for a reason that is no fault of Digitron's."""


class Outcome:
    """What came of a part. `lines` say what failed; where there are none, all went well."""

    def __init__(self, name):
        self.name, self.verdict, self.seconds = name, "running when this was written", None
        self.figure, self.lines = "", []


class Job:
    """The bundle, the results, and the time that the present part has left."""

    def __init__(self, bundle, results, libraries, small):
        self.bundle, self.results, self.small = Path(bundle), results, small
        self.programs, self.mnist = self.bundle / "bin", self.bundle / "mnist"
        self.digitron = self.programs / "digitron"
        self.gpu_tests = self.programs / "digitron_gpu_tests"
        # For our programs alone: libssl and its like, made for another system, are no business of
        # python3's or nvidia-smi's.
        folders = [self.bundle / "driver"] if (self.bundle / "driver").is_dir() else []
        folders += [self.bundle / "lib", *libraries.path, os.environ.get("LD_LIBRARY_PATH")]
        self.library_path = ":".join(str(folder) for folder in folders if folder)
        self.folder, self.deadline = results.work, None

    def begin(self, name, limit):
        self.folder = self.results.work / name
        self.folder.mkdir()
        self.deadline = time.monotonic() + limit

    def our_environment(self, **more):
        return {**os.environ, "LD_LIBRARY_PATH": self.library_path, **more}

    def run(self, command, log, environment=None):
        """Of a program that is not ours; `log`: a name in this part's folder, without .log."""
        return processes.run(command, self.folder / f"{log}.log", self.deadline, environment)

    def run_ours(self, command, log, **more):
        return self.run(command, log, self.our_environment(**more))

    def log(self, name):
        path = self.folder / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


TROUBLE = re.compile(r"Failure$|^\[  FAILED  \]|\b(error|fail(s|ed)?|invalid|hazard|uninitialized|"
                     r"cannot|not found)\b", re.IGNORECASE)


def trouble(text, most=8):
    """The first lines that tell of trouble; where none does, the last that were printed."""
    lines = [line for line in text.splitlines() if line.strip()]
    found = [line for line in lines if TROUBLE.search(line)]
    return found[:most] or lines[-3:] or ["it printed nothing"]
