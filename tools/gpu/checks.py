"""The parts that check: devices, tests, compute-sanitizer, the kernels of a step."""

import gzip
import os
import random
import re
import shutil
import struct

import kernels
from job import LeftOut, trouble
from machine import describe
from places import find_tool

KERNEL_TESTS = "*CudaKernels*:*CudaDropout*"
ALL_BUT_THE_LONGEST = "-*DrawnAtRandom*:*AHundredSteps*"
SMALL_TESTS = "Sizes/CudaKernels.*/0:*GradientsOfCustomMlp"
SMALL_HOST_TESTS = "TableTest.*:InspectTest.*:PytorchTraceTest.*:ProgramTest.Devices*"
DRAWN_BY_GNUPLOT = "*Report*:*Curves*:*Gnuplot*:*Sweep*"
# A part of the mangled names: other people's kernels are many, and not ours to mend.
OUR_KERNELS = ["--kernel-regex", "kns=digitron"]


def devices(job, outcome):
    """What is here: the GPU, the driver, versions; and that Digitron can use it."""
    describe(job)
    machine = job.results.machine
    ended = job.run_ours([job.digitron, "devices"], "devices")
    text = job.log("devices")
    machine["devices"] = text.splitlines()
    found = re.search(r"^cuda:0 +available +(.*?)(?:, compute.*)?$", text, re.MULTILINE)
    if found:
        machine["gpu"] = found[1]
        versions = dict(re.findall(r"^ +(CUDA of the driver|cuDNN|cuBLAS): (\S+)$", text, re.MULTILINE))
        outcome.figure = ", ".join(f"{name} {version}" for name, version in versions.items())
    if ended.code != 0 or not found:
        no_gpu = [line for line in text.splitlines() if line.startswith("cuda")]
        outcome.lines = no_gpu or trouble(text)


def count_tests(text):
    """Read from what GoogleTest prints line by line, which a program that is killed has printed
    too: passed, failed, skipped, and how many there were to be."""
    def ended(word):
        return len(re.findall(rf"^\[{word}\] .*\(\d+ ms\)$", text, re.MULTILINE))
    whole = re.findall(r"^\[==========\] Running (\d+) tests?", text, re.MULTILINE)
    return ended("       OK "), ended("  FAILED  "), ended("  SKIPPED "), sum(map(int, whole))


def judge_tests(outcome, text, ended=None, figure=""):
    passed, failed, skipped, whole = count_tests(text)
    outcome.figure = f"{passed} passed, {failed} failed, {skipped} skipped of {whole}{figure}"
    if ended is None:  # killed
        outcome.lines = trouble(text) if failed else []
    elif whole == 0:
        outcome.lines = ["no test ran", *trouble(text)]
    elif failed or ended.code != 0:
        outcome.lines = trouble(text)
        if not failed:
            outcome.lines.append(f"exit code {ended.code}")


def run_tests(job, outcome, command, more=None, figure=lambda text: ""):
    ended = None
    try:
        ended = job.run_ours(command, "tests", DIGITRON_REQUIRE_CUDA="1", **(more or {}))
    finally:
        text = job.log("tests")
        judge_tests(outcome, text, ended, figure(text))


def tests(job, outcome):
    """Every GPU test, in one process."""
    run_tests(job, outcome,
              [job.gpu_tests, *([f"--gtest_filter={SMALL_TESTS}"] if job.small else [])])


def sanitize(job, outcome, tool, gtest_filter, *options):
    program = find_tool("compute-sanitizer")
    if not program:
        raise LeftOut("no compute-sanitizer on the PATH, in a toolkit or in Python's wheels")
    if job.small:
        gtest_filter = SMALL_TESTS
    run_tests(job, outcome, [program, "--tool", tool, "--error-exitcode", "1", *options,
                             job.gpu_tests, f"--gtest_filter={gtest_filter}"],
              figure=sanitizer_figure)
    if not outcome.lines and not sanitizer_figure(job.log("tests")):
        outcome.lines = ["compute-sanitizer printed no summary", *trouble(job.log("tests"))]


def sanitizer_figure(text):
    found = re.findall(r"^=+ .*SUMMARY: (.*)$", text, re.MULTILINE)
    return f"; {found[-1]}" if found else ""


def memcheck(job, outcome):
    """The kernels' tests under compute-sanitizer's memcheck."""
    sanitize(job, outcome, "memcheck", KERNEL_TESTS)


def racecheck(job, outcome):
    """Our kernels in all but the longest GPU tests, under racecheck."""
    sanitize(job, outcome, "racecheck", ALL_BUT_THE_LONGEST, *OUR_KERNELS)


def initcheck(job, outcome):
    """The kernels' tests under initcheck."""
    # No filter: what a kernel writes counts as written only where the kernel is watched.
    sanitize(job, outcome, "initcheck", KERNEL_TESTS)


def synccheck(job, outcome):
    """Our kernels in all but the longest GPU tests, under synccheck."""
    sanitize(job, outcome, "synccheck", ALL_BUT_THE_LONGEST, *OUR_KERNELS)


def write_tiny_data(folder, train=256, test=64):
    """Noise in the shape of MNIST."""
    folder.mkdir()
    noise = random.Random(1)
    for split, count in (("train", train), ("t10k", test)):
        images = struct.pack(">4I", 0x803, count, 28, 28) + noise.randbytes(count * 784)
        labels = struct.pack(">2I", 0x801, count) + bytes(i % 10 for i in range(count))
        (folder / f"{split}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(labels)
    return folder


def ncu(job, outcome):
    """The kernels of one eager step of LeNet-5 at batch 64, with their times: kernels.md."""
    program = find_tool("ncu")
    if not program:
        raise LeftOut("no ncu on the PATH, in a toolkit or in /opt/nvidia")
    printed = job.folder / "kernels.csv"
    options = ["--csv", "--page", "raw", "--print-units", "base", "--clock-control", "none",
               "--target-processes", "all", "--metrics", ",".join(kernels.METRICS.values()),
               "--log-file", printed]
    data = write_tiny_data(job.folder / "data")
    command = [job.digitron, "train", "--model", "lenet5", "--batch", "64", "--max-steps", "3",
               "--no-graph", "--device", "cuda", "--data", data, "--out", job.folder / "run"]
    ended = job.run_ours([program, *options, *command], "ncu")
    shutil.rmtree(data)
    text = printed.read_text(encoding="utf-8", errors="replace") if printed.exists() else ""
    if ended.code != 0:
        outcome.lines = trouble(text + "\n" + job.log("ncu"))
        return
    try:
        table, count, microseconds = kernels.table(text)
    except kernels.NoTable as reason:
        outcome.lines = [str(reason), *trouble(text + "\n" + job.log("ncu"))]
        return
    outcome.figure = f"{count} kernels, {microseconds:.1f} us in all"
    job.results.kernels = (f"One eager step of LeNet-5 at batch 64 on {job.results.machine.get('gpu')}"
                           f", each kernel alone under ncu, clocks as they are.\n\n{table}")


IN_SHARDS = """
count=$1 && shift
for ((i = 0; i < count; ++i)); do
  GTEST_TOTAL_SHARDS=$count GTEST_SHARD_INDEX=$i "$@" >"shard-$i.log" 2>&1 & processes[i]=$!
done
for ((i = 0; i < count; ++i)); do wait "${processes[i]}" || code=1; done
cat shard-*.log
exit "${code-0}"
"""


def host_tests(job, outcome):
    """The tests of all but the CUDA engine, with CUDA_VISIBLE_DEVICES= (no GPU)."""
    packed = job.programs / "digitron_tests.gz"
    if not packed.exists():
        raise LeftOut("this bundle was made without digitron_tests")
    program = job.folder / "digitron_tests"
    program.write_bytes(gzip.decompress(packed.read_bytes()))
    program.chmod(0o755)
    draws = bool(shutil.which("gnuplot"))
    gtest_filter = SMALL_HOST_TESTS if job.small else "*"
    if not draws:
        gtest_filter += f"{':' if job.small else ''}-{DRAWN_BY_GNUPLOT}"
    shards = 1 if job.small else min(8, len(os.sched_getaffinity(0)))
    try:
        run_tests(job, outcome, ["bash", "-c", IN_SHARDS, "host-tests", str(shards), program,
                                 f"--gtest_filter={gtest_filter}"],
                  {"CUDA_VISIBLE_DEVICES": "", "DIGITRON_PROGRAM": str(job.digitron),
                   "DIGITRON_TEST_DATA": str(job.bundle / "test-data"),
                   "DIGITRON_DATA": str(job.mnist)})
    finally:
        program.unlink()  # it is no result
    if not draws:
        outcome.figure += "; without what needs gnuplot"
