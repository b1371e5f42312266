"""The files of a run, for the scripts that end runs before their time."""

import json
import struct
from pathlib import Path

NAMES = ["metrics.jsonl", "model.safetensors", "resume.safetensors", "run.json", "train.log"]

# What differs between two runs that do the same.
TIMES = {"seconds", "images_per_second", "evaluation_seconds", "time"}


def write_data(folder, train, test):
    """MNIST's four files, of images that are made up."""
    folder.mkdir()
    for split, count in (("train", train), ("t10k", test)):
        pixels = bytes((i * i + 31 * (i // 784)) % 251 for i in range(784 * count))
        (folder / f"{split}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 2051, count, 28, 28) + pixels)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2i", 2049, count) + bytes(i % 10 for i in range(count)))


def read_safetensors(path):
    """Metadata, and name -> dtype, shape and bytes; the file must be whole."""
    data = Path(path).read_bytes()
    begin = 8 + struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:begin])
    metadata = header.pop("__metadata__", {})
    if len(data) - begin != max(tensor["data_offsets"][1] for tensor in header.values()):
        raise ValueError(f"{path} is cut short")
    return metadata, {name: (tensor["dtype"], tensor["shape"],
                             data[slice(*(begin + offset for offset in tensor["data_offsets"]))])
                      for name, tensor in header.items()}


def events(path):
    """The lines, without times; the last one may be half a line where a run was killed."""
    whole, _, _ = Path(path).read_text().rpartition("\n")
    return [{key: value for key, value in json.loads(line).items() if key not in TIMES}
            for line in whole.splitlines()]


def results(folder):
    """What two runs that do the same have in common, to the last bit."""
    return read_safetensors(folder / "model.safetensors")[1], events(folder / "metrics.jsonl")


def run_id(folder):
    """Of run.json; None where there is none."""
    path = folder / "run.json"
    return json.loads(path.read_text())["id"] if path.exists() else None


def can_be_resumed(folder):
    """Whether there is a state, and of the same run as run.json."""
    path = folder / "resume.safetensors"
    if not path.exists():
        return False
    metadata, _ = read_safetensors(path)
    return json.loads(metadata["run_state"])["run"] == run_id(folder)


def check(folder):
    """Each file of a run is whole or absent."""
    readers = {"run.json": lambda path: json.loads(path.read_text()), "metrics.jsonl": events,
               "model.safetensors": read_safetensors, "resume.safetensors": read_safetensors}
    for name, read in readers.items():
        if (folder / name).exists():
            read(folder / name)
