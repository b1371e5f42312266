"""The kernels of one training step, out of what ncu prints with --csv --page raw."""

import csv
import re

METRICS = {"time": "gpu__time_duration.sum", "registers": "launch__registers_per_thread",
           "static": "launch__shared_mem_per_block_static",
           "dynamic": "launch__shared_mem_per_block_dynamic", "grid": "launch__grid_size",
           "block": "launch__block_size", "waves": "launch__waves_per_multiprocessor"}
COLUMNS = ["grid", "block", "registers", "static", "dynamic", "waves"]
LAST_OF_A_STEP = "advance_kernel"
MICROSECONDS = {"ns": 1e-3, "nsecond": 1e-3, "us": 1.0, "usecond": 1.0, "ms": 1e3, "msecond": 1e3,
                "s": 1e6, "second": 1e6}


class NoTable(Exception):
    """What ncu printed holds no step."""


def read_rows(text):
    """The kernels as dictionaries, and the unit of each column. In front of the table, and among
    its lines, stand remarks that begin with ==."""
    lines = [line for line in text.splitlines() if not line.startswith("==")]
    start = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if start is None:
        raise NoTable("no table in what ncu printed")
    rows = [row for row in csv.DictReader(lines[start:]) if row.get("Kernel Name") is not None]
    units = rows.pop(0) if rows and not rows[0]["ID"] else {}
    return [row for row in rows if row["ID"].isdigit()], units


def one_step(rows):
    """The kernels behind the second step's last one, to the third's."""
    ends = [i for i, row in enumerate(rows) if LAST_OF_A_STEP in row["Kernel Name"]]
    if len(ends) < 3:
        raise NoTable(f"{LAST_OF_A_STEP} ran {len(ends)} times in what ncu saw, not 3")
    return rows[ends[1] + 1:ends[2] + 1]


def short_name(name, width=60):
    """A kernel's name without namespaces, template arguments, parameters and result."""
    name = name.replace("(anonymous namespace)", "").replace("<unnamed>", "")
    plain = []
    depth = 0
    for letter in name:
        depth += letter == "<"
        if letter == "(" and depth == 0:
            break
        if depth == 0:
            plain.append(letter)
        depth -= letter == ">"
    name = re.split(r"[\s:]+", "".join(plain).strip())[-1] or name
    return name if len(name) <= width else name[:width - 1] + "…"


def number(text):
    """Thousands and all; 0 for what ncu could not measure, which it calls n/a."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return 0.0


def table(text):
    """Markdown of one step, and how many kernels and microseconds it is."""
    rows, units = read_rows(text)
    unit = MICROSECONDS.get(units.get(METRICS["time"], "ns"), 1e-3)
    lines = ["| # | kernel | grid | block | registers | static shared bytes | dynamic | waves | µs |",
             "|---:|---|" + "---:|" * 7]
    total = 0.0
    step = one_step(rows)
    for count, row in enumerate(step, 1):
        microseconds = number(row.get(METRICS["time"]) or "n/a") * unit
        total += microseconds
        cells = [row.get(METRICS[column]) or "-" for column in COLUMNS]
        lines.append(f"| {count} | {short_name(row['Kernel Name'])} | {' | '.join(cells)} | "
                     f"{microseconds:.2f} |")
    lines.append(f"| | sum |{' |' * len(COLUMNS)} {total:.2f} |")
    return "\n".join(lines) + "\n", len(step), total
