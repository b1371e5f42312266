"""What the PyTorch scripts share: Digitron's models, data and file format, on PyTorch's side."""

import json
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ["python3-numpy", "python3-torch", "libopenblas0-pthread"]


def install_pytorch():
    """Debian's PyTorch, and OpenBLAS: its default BLAS makes PyTorch several times slower."""
    script = 'cd "$1" && source tools/setup.sh && install "${@:2}"'
    command = ["bash", "-euo", "pipefail", "-c", script, sys.argv[0], str(ROOT), *PACKAGES]
    if subprocess.run(command).returncode != 0:
        sys.exit(1)


install_pytorch()
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402, F401
from digitron_files import read_idx, read_safetensors, single  # noqa: E402, F401
from pytorch_models import MODELS  # noqa: E402, F401


def read_mnist(directory, split, dtype=np.float32):
    """split "train" or "t10k" -> images (N, 1, 28, 28) of dtype, normalised; labels (N)."""
    pixels = read_idx(directory, f"{split}-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28)
    labels = read_idx(directory, f"{split}-labels-idx1-ubyte", 8)
    x = (torch.from_numpy(pixels.astype(dtype)) / 255 - single(0.1307)) / single(0.3081)
    return x, torch.from_numpy(labels.astype(np.int64))


def relative(value, reference):
    return float(np.linalg.norm(np.subtract(value, reference)) / np.linalg.norm(reference))


def distance(trace, weights, reference, reference_weights):
    """How far a training is from another: of the first 100 steps' losses the farthest, the mean
    loss, and of the final tensors the farthest; all relative."""
    steps = zip(trace["losses"][:100], reference["losses"][:100])
    return {"step losses": max(relative(a, b) for a, b in steps),
            "mean loss": relative(trace["mean_loss"], reference["mean_loss"]),
            "weights": max(relative(weights[name], tensor)
                           for name, tensor in reference_weights.items())}


def write_safetensors(path, tensors):
    """tensors: name -> int64 tensor, or one that becomes float32. The former come first, where they
    are aligned.
    https://github.com/huggingface/safetensors#format"""
    tensors = {name: tensor if tensor.dtype == torch.int64 else tensor.float()
               for name, tensor in tensors.items()}
    tensors = dict(sorted(tensors.items(), key=lambda item: item[1].dtype != torch.int64))
    header, end = {}, 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.element_size() * tensor.numel()
        dtype = "I64" if tensor.dtype == torch.int64 else "F32"
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.detach().contiguous().numpy().tobytes())
