"""What ptxas -v says of kernels."""

import re
import subprocess
from collections import namedtuple

Use = namedtuple("Use", "registers shared stack spills")  # bytes but for the registers


def short_names(mangled):
    """'sample_pass_kernel<1,false>' of _ZN8digitron..., in one call of c++filt for all."""
    if not mangled:
        return []
    lines = subprocess.run(["c++filt"], input="\n".join(mangled), stdout=subprocess.PIPE,
                           universal_newlines=True, check=True).stdout.splitlines()
    plain = (re.sub(r"\(anonymous namespace\)::|\bdigitron::|^void ", "", line) for line in lines)
    return [re.match(r"\w+(<.*>)?(?=\(|$)", line).group().replace(", ", ",") for line in plain]


def read(text):
    """{architecture: {kernel: Use}}. The stack of functions that are not inlined is the kernel's."""
    found = {}
    for line in text.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line):
            kernel, architecture = match.groups()
            stack = spills = 0
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes", line):
            numbers = [int(number) for number in match.groups()]
            stack, spills = stack + numbers[0], spills + numbers[1] + numbers[2]
        elif match := re.search(r"Used (\d+) registers", line):
            shared = re.search(r"(\d+) bytes smem", line)
            found.setdefault(architecture, {})[kernel] = Use(
                int(match.group(1)), int(shared.group(1)) if shared else 0, stack, spills)
    return {architecture: dict(zip(short_names(list(kernels)), kernels.values()))
            for architecture, kernels in found.items()}
