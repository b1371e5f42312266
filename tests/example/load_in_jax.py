"""load_in_jax.py CHECKPOINT IMAGES: a LeNet-5 of Digitron in JAX. IMAGES: a file of 28x28 bytes each;
prints their logits as JSON."""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from digitron_files import read_metadata, read_safetensors  # or, from PyPI: safetensors.flax.load_file


def conv(w, b, x, padding):
    y = jax.lax.conv(x, w, (1, 1), [(padding, padding)] * 2)
    return jax.nn.relu(y + b[:, None, None])


def pool(x):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


@jax.jit
def lenet5(p, x):
    x = pool(conv(p["conv1.weight"], p["conv1.bias"], x, 2))
    x = pool(conv(p["conv2.weight"], p["conv2.bias"], x, 0)).reshape(len(x), -1)
    for layer in "fc1", "fc2":
        x = jax.nn.relu(x @ p[f"{layer}.weight"].T + p[f"{layer}.bias"])
    return x @ p["fc3.weight"].T + p["fc3.bias"]


task = json.loads(read_metadata(sys.argv[1])["task"])  # what it was trained on
pixels = jnp.frombuffer(Path(sys.argv[2]).read_bytes(), jnp.uint8)
images = pixels.reshape(-1, 1, 28, 28).astype(jnp.float32) / 255
with jax.default_matmul_precision("highest"):
    logits = lenet5(read_safetensors(sys.argv[1]), (images - task["mean"][0]) / task["deviation"][0])
print(json.dumps(logits.tolist()))
