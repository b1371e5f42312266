"""The C++ programs in this folder: they make a fused step's program and tell something of it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# What they share; cuda/'s part is DIGITRON_PROGRAM of cuda/CMakeLists.txt.
SOURCES = [*(f"cuda/{name}.cpp" for name in ("sample_program", "sample_ops", "sample_tensors",
                                             "sample_placement", "sample_tiling", "shared_layout",
                                             "program_source")),
           *(f"host/core/{name}.cpp" for name in ("model", "plan", "fusion"))]


def compile_command(name, output, *options):
    """The command that makes NAME.cpp the executable `output`; to be run in ROOT."""
    return ["g++", "-std=c++20", f"-I{ROOT}", *options, f"tools/gpu/{name}.cpp", *SOURCES, "-o", output]
