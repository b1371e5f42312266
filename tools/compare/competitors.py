"""Who takes part, each with the same face: ways, epoch(way), reset(), accuracy(), close()."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from environments import FRAMEWORKS
from layers import BATCH, LEARNING_RATE, MOMENTUM

WORKER = Path(__file__).resolve().parent / "worker.py"
# OpenBLAS with one thread, since its threads fight PyTorch's own; memory that malloc keeps.
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_TOP_PAD_": "268435456"}
QUIET_SECONDS = 0.1  # until the threads of the one before, which spin after their work, are asleep


class Failed(Exception):
    """A competitor ended, or a way of it does not work; str() says why."""


def pinned(command, threads):
    cores = sorted(os.sched_getaffinity(0))[:threads]
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), *map(str, command)]


class Peer:
    """A framework in a process that sleeps until it is told to train an epoch."""

    def __init__(self, name, python, model, threads, data, initial, log):
        self.log = log
        environment = {**os.environ, **ENVIRONMENT, "OMP_NUM_THREADS": str(threads),
                       "NPROC": str(threads),  # XLA's
                       "TORCHINDUCTOR_CACHE_DIR": f"{initial}.{name}.{threads}"}  # empty: all is compiled
        for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            environment.pop(variable, None)
        command = [python, WORKER, FRAMEWORKS[name].module, model, threads, data, initial]
        with open(log, "w") as errors:
            self.process = subprocess.Popen(pinned(command, threads), env=environment, text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        hello = self.read()
        self.ways, self.versions = hello["ways"], hello["versions"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            lines = Path(self.log).read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise Failed(f"ended with exit code {self.process.returncode}: {lines[-1]}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def ask(self, request):
        time.sleep(QUIET_SECONDS)
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # read() says why
        return self.read()

    def epoch(self, way):
        answer = self.ask(f"epoch {way}")
        return answer["seconds"], answer["loss"]

    def reset(self):
        self.ask("reset")

    def accuracy(self):
        return self.ask("accuracy")["accuracy"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Digitron:
    """Digitron's program, started for each epoch: it resumes its run for two, of which the second is
    the one that counts, as of a process that goes on. The losses are those of its first epochs."""

    ways = ["digitron train"]

    def __init__(self, program, model, threads, data, initial, versions):
        self.folder = tempfile.TemporaryDirectory()
        self.out = Path(self.folder.name, "run")
        self.versions, self.threads, self.epochs = versions, threads, 0
        self.command = [program, "train", "--device", "cpu", "--threads", threads, "--data", data]
        self.start = ["--out", self.out, "--model", model, "--init", initial, "--batch", BATCH,
                      "--lr", LEARNING_RATE, "--momentum", MOMENTUM]

    def lines(self):
        return [json.loads(line) for line in Path(self.out, "metrics.jsonl").read_text().splitlines()]

    def epoch(self, way):
        how = ["--resume", self.out, "--force"] if self.epochs else self.start
        self.epochs += 2
        time.sleep(QUIET_SECONDS)
        done = subprocess.run(pinned([*self.command, *how, "--epochs", self.epochs], self.threads),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed(done.stderr.strip() or f"{way} ended with exit code {done.returncode}")
        lines = self.lines()
        return lines[-1]["seconds"], lines[self.epochs // 2 - 1]["train_loss"]

    def reset(self):
        self.epochs = 0
        self.folder.cleanup()
        Path(self.folder.name).mkdir()

    def accuracy(self):
        return self.lines()[self.epochs // 2 - 1]["test_accuracy"]

    def close(self):
        self.folder.cleanup()
