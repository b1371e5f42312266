"""Where the other frameworks run: a virtual environment of its own for each, of pinned versions."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DEBIAN_PYTHON = "/usr/bin/python3"


class Absent(Exception):
    """A framework cannot be had here; str() says why."""


@dataclass(frozen=True)
class Framework:
    title: str
    module: str  # the worker's, beside this file
    requirements: tuple = ()  # from PyPI; none: Debian's


# torch on PyPI brings CUDA's libraries, 5 GB; where pip knows an index with 2.15.0+cpu it takes that.
FRAMEWORKS = {
    "jax": Framework("JAX", "on_jax", ("jax==0.10.2", "jaxlib==0.10.2")),
    "tensorflow": Framework("TensorFlow", "on_tensorflow", ("tensorflow-cpu==2.21.0",)),
    "pytorch": Framework("PyTorch", "on_pytorch", ("torch==2.15.0", "numpy==2.4.6")),
    "debian-pytorch": Framework("Debian's PyTorch", "on_pytorch")}


def run(what, command, log):
    print(f"{what} ...", file=sys.stderr, flush=True)
    with open(log, "a") as output:
        if subprocess.run(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT).returncode != 0:
            lines = Path(log).read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            errors = [line for line in lines if "error" in line.lower()] or lines[-1:]
            raise Absent(f"{what} failed: {errors[-1].strip()} (all of it in {log})")


def in_virtual_environment(name, folder):
    """The Python of FRAMEWORKS[name], installed unless it is there in the versions wanted."""
    home, wanted = folder / name, "\n".join(FRAMEWORKS[name].requirements) + "\n"
    python, done, log = home / "bin/python", home / "installed", folder / f"{name}.install.log"
    if not done.exists() or done.read_text() != wanted:
        folder.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        run(f"Making {home}", [sys.executable, "-m", "venv", "--clear", home], log)
        packages = FRAMEWORKS[name].requirements
        run(f"Installing {', '.join(packages)}",
            [python, "-m", "pip", "install", "--no-cache-dir", *packages], log)
        done.write_text(wanted)
    return python


def debian(folder):
    """Debian's Python, where it has PyTorch, with OpenBLAS: the default BLAS makes PyTorch several
    times slower."""
    imports = [DEBIAN_PYTHON, "-c", "import torch"]
    if not Path(DEBIAN_PYTHON).exists() or subprocess.run(imports, stderr=subprocess.DEVNULL).returncode:
        raise Absent(f"{DEBIAN_PYTHON} has no torch; install python3-torch")
    folder.mkdir(parents=True, exist_ok=True)
    script = 'cd "$1" && source tools/setup.sh && install libopenblas0-pthread'
    run("Looking for OpenBLAS", ["bash", "-euo", "pipefail", "-c", script, sys.argv[0], ROOT],
        folder / "debian-pytorch.install.log")
    return DEBIAN_PYTHON


def python_of(name, folder):
    return in_virtual_environment(name, folder) if FRAMEWORKS[name].requirements else debian(folder)
