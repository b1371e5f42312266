"""The parts that measure: steps and whole trainings, Digitron's and PyTorch's."""

import json

from job import LeftOut, trouble

BATCHES = (64, 256, 1024, 4096)
SMALL_BATCHES = (64, 256)
MODELS = ("lenet5", "custom-mlp")
LEAST_ACCURACY = {"lenet5": 0.987, "custom-mlp": 0.974, "lenet5-improved": 0.988}  # on MNIST
SEEDS = (1, 2, 3)
LEFT_OUT = 77  # gpu_pytorch's exit code where it can do nothing here


def bench(job, outcome):
    """Time of a step of LeNet-5 and the MLP, batches 64 to 4096, graph and eager."""
    batches = SMALL_BATCHES if job.small else BATCHES
    wanted = [(model, batch, mode) for batch in batches for model in MODELS
              for mode in ("graph", "eager")]
    done = {}
    for model, batch, mode in wanted:
        name = f"{model}-{batch}-{mode}"
        command = [job.digitron, "bench", "--model", model, "--batch", batch, "--device", "cuda",
                   "--data", job.mnist, "--json", job.folder / f"{name}.json", "--mode", mode,
                   "--repeat", 1, "--timeout", 0 if job.small else 3,
                   *(["--warmup", 0, "--min-time", 0, "--steps-per-graph", 1] if job.small else [])]
        ended = job.run_ours(command, name)
        if ended.code != 0:
            outcome.lines += [f"{name}, exit code {ended.code}: {line}"
                              for line in trouble(job.log(name), 2)]
            continue
        row = json.loads((job.folder / f"{name}.json").read_text())["rows"][0]
        median = row["summary"]["p50"]
        done[model, batch, mode] = 1e6 * median
        job.results.bench.append({"command": [str(word) for word in command],
                                  "process_seconds": round(ended.seconds, 3),
                                  "median_step_seconds": median, **row})
        first = done.get(("lenet5", 64, "graph"))
        outcome.figure = f"{len(done)} of {len(wanted)}" + (
            f"; LeNet-5 at 64: {first:.1f} us a step" if first else "")
        job.results.publish()


def train(job, outcome):
    """The reference job, seeds 1 to 3 of each model, and its accuracies."""
    wanted = [(model, seed) for seed in (SEEDS[:1] if job.small else SEEDS)
              for model in LEAST_ACCURACY]
    for model, seed in wanted:
        name = f"{model}-{seed}"
        command = [job.digitron, "train", "--model", model, "--seed", seed, "--device", "cuda",
                   "--data", job.mnist, "--out", job.folder / name,
                   *(["--epochs", 1, "--max-steps", 4] if job.small else [])]
        run = {"model": model, "seed": seed, "command": [str(word) for word in command],
               "exit_code": None, "seconds": None}  # as they stay where it is cut
        try:
            ended = job.run_ours(command, name)
            run.update(exit_code=ended.code, seconds=round(ended.seconds, 3))
        finally:
            run.update(read_run(job.folder / name))
            job.results.train.append(run)
        judge_run(job, outcome, run)
        done = [each for each in job.results.train if each["exit_code"] == 0]
        outcome.figure = f"{len(done)} of {len(wanted)} runs"
        job.results.publish()


def judge_run(job, outcome, run):
    name = f"{run['model']}, seed {run['seed']}"
    least = LEAST_ACCURACY[run["model"]]
    if run["exit_code"] != 0:
        log = job.log(f"{run['model']}-{run['seed']}")
        outcome.lines += [f"{name}, exit code {run['exit_code']}: {line}" for line in trouble(log, 3)]
    elif run["is_mnist"] and not job.small and run["accuracy"] < least:
        outcome.lines.append(f"{name}: test accuracy {run['accuracy']:.4f}, least {least}")


def read_run(folder):
    """What a training wrote by now."""
    run = {"accuracy": None, "is_mnist": False, "epochs": []}
    if (folder / "run.json").exists():
        run["is_mnist"] = '"is_mnist": true' in (folder / "run.json").read_text()
    if (folder / "metrics.jsonl").exists():
        events = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        run["epochs"] = [{key: event.get(key) for key in ("seconds", "test_accuracy")}
                         for event in events if event["event"] == "epoch"]
        run["accuracy"] = run["epochs"][-1]["test_accuracy"] if run["epochs"] else None
    return run


def pytorch(job, outcome):
    """PyTorch's steps beside them: eager, and as one CUDA graph."""
    run_pytorch(job, outcome, ["eager", "graph"])


def torch_compile(job, outcome):
    """PyTorch's steps through torch.compile."""
    run_pytorch(job, outcome, ["compile"])


def run_pytorch(job, outcome, modes):
    out = job.folder / "pytorch.json"
    command = ["python3", "-B", job.bundle / "tools/gpu_pytorch", "--modes", *modes, "--out", out,
               *(["--batches", *SMALL_BATCHES, "--steps", 5, "--samples", 3, "--warmup", 1]
                 if job.small else [])]
    try:
        ended = job.run(command, "pytorch")
    finally:
        take_pytorch(job, outcome, out)
    if ended.code == LEFT_OUT:
        raise LeftOut((job.log("pytorch").splitlines() or ["python3 cannot"])[-1])
    if ended.code != 0:
        outcome.lines = trouble(job.log("pytorch"))


def take_pytorch(job, outcome, out):
    """Adds to results what the script has written, also where it was cut."""
    if not out.exists():
        return
    report = json.loads(out.read_text())
    done = [r for r in report["results"] if "median_step_seconds" in r]
    outcome.figure = f"{len(done)} of {report['wanted']}, torch {report['torch']}"
    if job.results.pytorch:
        job.results.pytorch["results"] += report["results"]
    else:
        job.results.pytorch = report
