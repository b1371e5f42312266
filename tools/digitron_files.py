"""Digitron's file formats and arithmetic in Python. Needs numpy alone, whichever is here."""

import gzip
import json
import struct
import sys
from pathlib import Path

import numpy as np

DTYPES = {"I64": "<i8", "F32": "<f4"}


def read_idx(directory, name, header_bytes):
    """The bytes behind an IDX file's header; name with either spelling, plain or .gz."""
    for spelling in (name, name.replace("-idx", ".idx")):
        for path in (Path(directory, spelling), Path(directory, spelling + ".gz")):
            if path.exists():
                opened = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")
                with opened as file:
                    return np.frombuffer(file.read(), np.uint8, offset=header_bytes)
    sys.exit(f"{sys.argv[0]}: no {name} in {directory}; give MNIST's directory with --data")


def single(value):
    """What a constant or a rate is in Digitron, which keeps them in single precision."""
    return float(np.float32(value))


def read_header(path):
    """A safetensors file's header, and the bytes behind it."""
    data = Path(path).read_bytes()
    length = struct.unpack_from("<Q", data)[0] if len(data) >= 8 else 0
    if length > len(data) - 8:
        raise ValueError("its header is longer than the file")
    return json.loads(data[8:8 + length]), memoryview(data)[8 + length:]


def read_metadata(path):
    """name -> text"""
    return read_header(path)[0].get("__metadata__", {})


def read_safetensors(path):
    """name -> float32 or int64 array."""
    header, data = read_header(path)
    header.pop("__metadata__", None)
    arrays = {}
    for name, tensor in header.items():
        begin, end = tensor["data_offsets"]
        values = np.frombuffer(data[begin:end], DTYPES[tensor["dtype"]])
        arrays[name] = values.reshape(tensor["shape"])
    return arrays
