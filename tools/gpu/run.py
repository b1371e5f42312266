"""The command line of a bundle: see --help."""

import argparse
import json
import sys
import time
import traceback
from collections import namedtuple
from pathlib import Path

import checks
import measure
import processes
from job import Job, LeftOut, Outcome
from machine import describe_after
from places import Libraries
from results import Results

BUNDLE = Path(__file__).resolve().parent.parent.parent
Part = namedtuple("Part", "name limit run")
DEFAULT = [Part("devices", 20, checks.devices), Part("tests", 120, checks.tests),
           Part("memcheck", 100, checks.memcheck), Part("bench", 110, measure.bench),
           Part("train", 100, measure.train), Part("pytorch", 90, measure.pytorch)]
ON_REQUEST = [Part("compile", 240, measure.torch_compile), Part("racecheck", 300, checks.racecheck),
              Part("initcheck", 200, checks.initcheck), Part("synccheck", 300, checks.synccheck),
              Part("ncu", 120, checks.ncu), Part("host-tests", 300, checks.host_tests)]
PARTS = {part.name: part for part in DEFAULT + ON_REQUEST}
SETS = {"default": [part.name for part in DEFAULT], "all": list(PARTS)}

DESCRIPTION = f"""\
Checks and measures Digitron's CUDA engine on this machine's first GPU. Needs bash, python3, an NVIDIA
driver, and cuDNN 9 with cuBLAS, which it finds in the toolkit, in the system or in nvidia/*/lib of
python3's packages. Nothing is compiled or installed.

After each part RESULTS holds summary.md (one screen), results.tgz (every log, sample and training run)
and what was measured as JSON, whole at any moment: a run may be killed. A part that is out of time is
cut, and keeps what it has measured."""


def part_names(text):
    names = []
    for word in text.split(","):
        for name in SETS.get(word, [word]):
            if name not in PARTS:
                raise argparse.ArgumentTypeError(
                    f"there is no part '{name}'; there are {', '.join(PARTS)}, and all, default")
            names.append(name)
    return names


def positive(text):
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds")
    return int(text)


def parse_arguments():
    lines = ["parts, in the order in which they run, with their limits in seconds:"]
    for title, parts in (("by default", DEFAULT), ("on request", ON_REQUEST)):
        lines.append(f"  {title}, {sum(part.limit for part in parts)} s at most:")
        lines += [f"    {part.name:11}{part.limit:4}  {' '.join(part.run.__doc__.split())}"
                  for part in parts]
    lines.append("exit code: 0 when no part that was asked for failed or was cut, 1 otherwise; 2 for "
                 "a wrong\ncommand line; 128 and the signal's number after a signal. A part that "
                 "cannot be done here\n(no compute-sanitizer, no PyTorch) is left out, which is no "
                 "failure.")
    parser = argparse.ArgumentParser(prog="run", description=DESCRIPTION, epilog="\n".join(lines),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", metavar="RESULTS", help="a new folder, or one of an earlier run")
    parser.add_argument("--parts", metavar="a,b,...", type=part_names, default=SETS["default"],
                        help="these parts, and devices before them; 'all' is every one")
    parser.add_argument("--limit", metavar="SECONDS", type=positive,
                        help="of every part, instead of its own")
    parser.add_argument("--small", action="store_true",
                        help="every part cut small: tries the scripts, measures nothing")
    return parser.parse_args()


def run_part(job, part, limit):
    """Runs one part and writes what came of it; a signal goes on to the caller afterwards."""
    outcome = Outcome(part.name)
    job.results.parts.append(outcome)
    job.results.publish()
    print(f"{part.name} (at most {limit} s) ...", flush=True)
    start = time.monotonic()
    try:
        job.begin(part.name, limit)
        part.run(job, outcome)
        outcome.verdict = "FAILED" if outcome.lines else "passed"
        describe_after(job, part.name)
    except LeftOut as reason:
        outcome.verdict, outcome.figure = "left out", str(reason)
    except processes.Cut:
        outcome.verdict = f"CUT after {limit} s"
    except processes.Stopped as stop:
        outcome.verdict = f"STOPPED by {stop}"
        raise
    except Exception as error:  # what is measured by now is worth more than a clean end
        (job.folder / "traceback.txt").write_text(traceback.format_exc())
        outcome.verdict = "FAILED"
        outcome.lines.append(f"{type(error).__name__} in the script: {error}")
    finally:
        outcome.seconds = time.monotonic() - start
        job.results.pack()
        print(f"  {outcome.verdict}. {outcome.figure}", *outcome.lines[:4], sep="\n    ", flush=True)
    return outcome.verdict in ("passed", "left out")


def main():
    options = parse_arguments()
    bundle = json.loads((BUNDLE / "bundle.json").read_text())
    try:
        results = Results(Path(options.results).resolve(), bundle)
    except OSError as error:
        print(f"run: {error}", file=sys.stderr)
        return 2
    libraries = Libraries(bundle["needs"])
    results.machine.update(command=sys.argv, small=options.small, libraries=libraries.found,
                           library_lines=libraries.lines())
    job = Job(BUNDLE, results, libraries, options.small)
    processes.adopt_orphans()
    processes.stop_on_signals()
    wanted = [part for part in PARTS.values() if part.name in ("devices", *options.parts)]
    try:
        good = [run_part(job, part, options.limit or part.limit) for part in wanted]
    except processes.Stopped as stop:
        return 128 + stop.number
    finally:
        results.remove_work()
    print(f"\n{(results.folder / 'summary.md').read_text(encoding='utf-8')}")
    return 0 if all(good) else 1


sys.exit(main())
