"""load_in_pytorch.py CHECKPOINT IMAGES: a LeNet-5 of Digitron in PyTorch. IMAGES: a file of 28x28 bytes
each; prints their logits as JSON."""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from digitron_files import read_metadata, read_safetensors  # or, from PyPI: safetensors.numpy.load_file
from pytorch_models import lenet5

model = lenet5()
model.load_state_dict({name: torch.from_numpy(tensor.copy())
                       for name, tensor in read_safetensors(sys.argv[1]).items()})
model.eval()
task = json.loads(read_metadata(sys.argv[1])["task"])  # what it was trained on
pixels = torch.frombuffer(bytearray(Path(sys.argv[2]).read_bytes()), dtype=torch.uint8)
images = pixels.reshape(-1, 1, 28, 28).float() / 255
with torch.no_grad():
    logits = model((images - task["mean"][0]) / task["deviation"][0])
print(json.dumps(logits.tolist()))
