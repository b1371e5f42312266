"""summary.md: one screen of what a run found."""

import statistics

SCREEN = 50  # lines
WIDTH = 150  # letters of a line that came out of a program
COLUMNS = [("Digitron graph", "bench", "graph"), ("Digitron eager", "bench", "eager"),
           ("PyTorch eager", "pytorch", "eager"), ("PyTorch graph", "pytorch", "graph"),
           ("torch.compile", "pytorch", "compile")]


def summary(results):
    head = title(results) + parts_table(results.parts)
    tables = steps_table(results) + training_table(results.train)
    room = SCREEN - len(head) - len(tables)
    lines = head + failing_lines(results.parts, max(room, 6)) + tables
    return "\n".join(lines) + "\n"


def title(results):
    bundle, machine = results.bundle, results.machine
    changed = " with changes" if bundle.get("modified") else ""
    lines = [f"# Digitron {bundle['commit'][:9]}{changed} on {machine.get('gpu') or 'no GPU'}", ""]
    if bundle.get("stand_in"):
        lines += ["**A rehearsal**: the driver is an empty library, and the GPU a stand-in on the "
                  "CPU. No time here is a GPU's.", ""]
    if machine.get("small"):
        lines += ["Every part is cut small (`--small`): no figure here is one to quote.", ""]
    built = ", ".join(filter(None, [bundle.get("cuda"), bundle.get("compiler")]))
    return lines + [f"Built {bundle['built']} ({built}). Run {machine['started']}: "
                    f"{machine.get('cpu', 'unknown CPU')}, {machine.get('cores', '?')} cores, "
                    f"{machine.get('system', 'unknown system')}.",
                    *(f"{line}." for line in machine.get("library_lines", []))]


def parts_table(parts):
    lines = ["", "| part | verdict | seconds | figure |", "|---|---|---:|---|"]
    for part in parts:
        seconds = "" if part.seconds is None else f"{part.seconds:.1f}"
        lines.append(f"| {part.name} | {part.verdict} | {seconds} | {clip(part.figure)} |")
    return lines


def failing_lines(parts, room):
    """The first lines of what failed, shared out evenly."""
    failed = [part for part in parts if part.lines]
    if not failed:
        return []
    each = max(1, (room - 3) // len(failed))
    lines = ["", "```"]
    for part in failed:
        lines += [clip(f"{part.name}: {line}") for line in part.lines[:each]]
    return lines + ["```"]


def clip(text):
    text = " ".join(str(text).replace("|", "/").split())
    return text if len(text) <= WIDTH else text[:WIDTH - 1] + "…"


def steps_table(results):
    """Microseconds of a step, and how many times Digitron's graph is faster."""
    medians = {("bench", r["model"], r["batch"], r["mode"]): r["median_step_seconds"]
               for r in results.bench if "median_step_seconds" in r}
    peers = (results.pytorch or {}).get("results", [])
    medians.update({("pytorch", r["model"], r["batch"], r["mode"]): r["median_step_seconds"]
                    for r in peers if "median_step_seconds" in r})
    if not medians:
        return []
    columns = [c for c in COLUMNS if c[1:] != ("pytorch", "compile")
               or any(key[0] == "pytorch" and key[3] == "compile" for key in medians)]
    ratios = [c for c in columns if c[1] == "pytorch"]
    names = [name for name, _, _ in columns] + [f"÷ {name}" for name, _, _ in ratios]
    lines = ["", "Median microseconds of a training step; ÷: how many times Digitron's graph is "
             "faster.", "", f"| model | batch | {' | '.join(names)} |",
             "|---|---:|" + "---:|" * len(names)]
    for model, batch in sorted({key[1:3] for key in medians}, key=lambda k: (k[0] != "lenet5", k)):
        times = {c: medians.get((c[1], model, batch, c[2])) for c in columns}
        own = times[COLUMNS[0]]
        cells = ["-" if times[c] is None else f"{1e6 * times[c]:.1f}" for c in columns]
        cells += ["-" if None in (own, times[c]) else f"{times[c] / own:.2f}" for c in ratios]
        lines.append(f"| {model} | {batch} | {' | '.join(cells)} |")
    return lines


def training_table(runs):
    done = [run for run in runs if run["exit_code"] == 0 and run["epochs"]]
    if not done:
        return []
    lines = ["", "| model | test accuracy, seeds in order | seconds of an epoch | of the process |",
             "|---|---|---:|---:|"]
    for model in dict.fromkeys(run["model"] for run in done):
        mine = [run for run in done if run["model"] == model]
        accuracies = ", ".join(f"{100 * run['accuracy']:.2f} %" for run in mine)
        # The first epoch of a process also loads kernels.
        epochs = [e["seconds"] for run in mine for e in run["epochs"][1:] or run["epochs"]]
        lines.append(f"| {model} | {accuracies} | {statistics.median(epochs):.3f} | "
                     f"{statistics.median(run['seconds'] for run in mine):.1f} |")
    return lines
