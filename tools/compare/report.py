"""The comparison as tables, from its JSON alone."""

import json
import statistics

SCHEMA = "digitron-compare-cpu/1"
MODEL_TITLES = {"lenet5": "LeNet-5", "custom-mlp": "Custom MLP"}
# Two states of a machine, not the scatter of one: a gap of a fifth, and two epochs on either side.
LEAST_GAP = 1.2
LEAST_EPOCHS = 2


def read(path):
    """The report at `path`; ValueError says what is wrong with it."""
    try:
        report = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise ValueError(f"{path} is no file of {SCHEMA}; make one with tools/compare_cpu --out")
    try:
        markdown(report)
    except (KeyError, TypeError, AttributeError, IndexError, statistics.StatisticsError) as error:
        raise ValueError(f"{path} lacks something of {SCHEMA}: {error!r}") from error
    return report


def states(seconds):
    """The epochs of the fast state and those of the slow one, which is empty where there is one state:
    split at the widest gap between neighbours in order, where it is wide enough."""
    ordered = sorted(seconds)
    splits = range(LEAST_EPOCHS, len(ordered) - LEAST_EPOCHS + 1)
    at = max(splits, key=lambda i: ordered[i] / ordered[i - 1], default=None)
    if at is None or ordered[at] < LEAST_GAP * ordered[at - 1]:
        return ordered, []
    return ordered[:at], ordered[at:]


def time_cell(seconds):
    fast, slow = states(seconds)
    text = f"{statistics.median(fast):.3f}"
    if slow:
        text += f" ({len(slow)} of {len(seconds)}: {statistics.median(slow):.3f})"
    return text


def ratio(seconds, digitron):
    """The median over the rounds, in each of which both trained an epoch."""
    return statistics.median(theirs / ours for theirs, ours in zip(seconds, digitron))


def cell(group, name):
    entry = group["competitors"].get(name)
    if entry is None:
        return "-"
    ours = group["competitors"].get("digitron")
    text = time_cell(entry["seconds"])
    return text if ours is None or name == "digitron" else \
        f"{text} {ratio(entry['seconds'], ours['seconds']):.2f}x"


def title(report, name):
    for group in report["groups"]:
        if name in group["competitors"]:
            versions = group["competitors"][name]["versions"]
            main = next(iter(versions.values()), "").split("+")[0] if name != "digitron" else ""
            return f"{report['titles'][name]} {main}".strip()
    return report["titles"][name]


def markdown(report):
    """Seconds of an epoch, medians; behind them the medians of the rounds' ratios to Digitron."""
    names = [name for name in report["titles"]
             if any(name in group["competitors"] for group in report["groups"])]
    lines = ["| model | threads | " + " | ".join(title(report, name) for name in names) + " |",
             "|---|---:|" + "---:|" * len(names)]
    for group in report["groups"]:
        cells = [MODEL_TITLES[group["model"]], str(group["threads"]), *(cell(group, n) for n in names)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def probed(group, key):
    values = [state[key] for state in group["machine_states"] if key in state]
    return f"{min(values):.0f}-{max(values):.0f}" if values else "(not measured)"


def details(report):
    """Each one's way through an epoch, what its first epoch took longer, where its training ended, and
    what the machine was like meanwhile."""
    lines = []
    for group in report["groups"]:
        lines.append(f"\n{MODEL_TITLES[group['model']]}, {group['threads']} threads; beside the rounds "
                     f"{probed(group, 'gflops')} GFLOP/s a core, core to core "
                     f"{probed(group, 'ping_pong_ns')} ns:")
        for name, entry in group["competitors"].items():
            trial = entry["trials"][entry["way"]]
            more = max(0, trial["first_epoch_seconds"] - trial["second_epoch_seconds"])
            lines.append(f"  {name}: {entry['way']}; first epoch {more:.1f} s more; "
                         f"{len(entry['seconds'])} epochs of {min(entry['seconds']):.3f}-"
                         f"{max(entry['seconds']):.3f} s; loss {entry['losses'][-1]:.4f}, "
                         f"test accuracy {100 * entry['test_accuracy']:.2f} %")
        lines += [f"  {name}: left out, {reason}" for name, reason in group["failed"].items()]
    lines += [f"\n{name}: left out, {reason}" for name, reason in report["left_out"].items()]
    return "\n".join(lines)
