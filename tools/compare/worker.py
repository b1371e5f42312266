"""One framework's training of one model in a process of its own, for tools/compare_cpu:
worker.py MODULE MODEL THREADS DATA INITIAL. Answers each line of standard input with one of JSON."""

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from digitron_files import read_idx, read_safetensors, single  # noqa: E402


def read_mnist(directory, split):
    """split "train" or "t10k" -> images (N, 1, 28, 28) of float32, normalised; labels (N) of int64."""
    pixels = read_idx(directory, f"{split}-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28)
    x = (pixels.astype("float32") / 255 - single(0.1307)) / single(0.3081)
    return x.astype("float32"), read_idx(directory, f"{split}-labels-idx1-ubyte", 8).astype("int64")


def answer(training, command, way):
    if command == "epoch":
        start = time.perf_counter()
        loss = training.ways[way]()
        return {"seconds": time.perf_counter() - start, "loss": loss}
    if command == "reset":
        training.reset()
        return {}
    return {"accuracy": training.accuracy()}


def main():
    # What a framework prints goes to standard error, where it cannot be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, model, threads, data, initial = sys.argv[1:]
    framework = importlib.import_module(module)
    training = framework.Training(model, read_safetensors(initial), read_mnist(data, "train"),
                                  read_mnist(data, "t10k"), int(threads))
    print(json.dumps({"ways": list(training.ways), "versions": framework.VERSIONS}), file=answers, flush=True)
    for line in sys.stdin:
        command, _, way = line.strip().partition(" ")
        try:
            result = answer(training, command, way)
        except Exception as error:  # a way that does not work here; others may
            traceback.print_exc()
            result = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(result), file=answers, flush=True)


main()
