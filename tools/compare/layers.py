"""The models that tools/compare_cpu trains, as data, and their initial weights. Elsewhere:
host/core/model.cpp, tools/pytorch_models.py."""

import array
import json
import math
import random
import struct

BATCH = 64
LEARNING_RATE = 0.01
MOMENTUM = 0.9

# (kind, name, padding); names as Digitron's checkpoints have them.
LAYERS = {
    "lenet5": [("conv", "conv1", 2), ("relu", "", 0), ("maxpool", "", 0),
               ("conv", "conv2", 0), ("relu", "", 0), ("maxpool", "", 0),
               ("fc", "fc1", 0), ("relu", "", 0), ("fc", "fc2", 0), ("relu", "", 0), ("fc", "fc3", 0)],
    "custom-mlp": [("fc", "fc1", 0), ("relu", "", 0), ("fc", "fc2", 0), ("relu", "", 0),
                   ("fc", "fc3", 0), ("relu", "", 0), ("fc", "fc4", 0)]}

# Shapes of the weights, outputs first, as PyTorch has them; a bias has the first alone.
SHAPES = {
    "lenet5": {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 400), "fc2": (84, 120),
               "fc3": (10, 84)},
    "custom-mlp": {"fc1": (90, 784), "fc2": (70, 90), "fc3": (50, 70), "fc4": (10, 50)}}


def channels_last_weights(model, tensors):
    """PyTorch's layouts -> those of JAX and TensorFlow: (height, width, inputs, outputs) and (inputs,
    outputs), where fc1 after a convolution takes its inputs in the order (row, column, channel)."""
    arrays, channels = {}, 1
    for name, tensor in tensors.items():
        if tensor.ndim == 4:
            channels, tensor = tensor.shape[0], tensor.transpose(2, 3, 1, 0)
        elif tensor.ndim == 2:
            outputs, inputs = tensor.shape
            side = math.isqrt(inputs // channels)
            if channels > 1:
                tensor = tensor.reshape(outputs, channels, side, side).transpose(0, 2, 3, 1)
            tensor, channels = tensor.reshape(outputs, inputs).T, 1
        arrays[name] = tensor
    return arrays


def write_initial(path, model):
    """Initial weights for everybody, as PyTorch draws them, in a safetensors file."""
    generator, header, values = random.Random(1), {}, array.array("f")
    for name, shape in SHAPES[model].items():
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        for kind, dims in ("weight", shape), ("bias", shape[:1]):
            begin = values.itemsize * len(values)
            values.extend(generator.uniform(-bound, bound) for _ in range(math.prod(dims)))
            header[f"{name}.{kind}"] = {"dtype": "F32", "shape": dims,
                                        "data_offsets": [begin, values.itemsize * len(values)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + values.tobytes())
