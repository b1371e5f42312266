"""Digitron's models on PyTorch: the data one resident tensor, shuffled as a whole once an epoch, so that
batches are views of it; step by step, or with the whole step compiled where this torch can."""

import numpy as np
import torch
from torch import nn

from layers import BATCH, LEARNING_RATE, MOMENTUM
from pytorch_models import MODELS

VERSIONS = {"torch": torch.__version__}


def optimizers(parameters):
    """name -> SGD in each way that this torch has; fused is from 2.3 on."""
    for name in ("", "foreach", "fused"):
        try:
            yield name, torch.optim.SGD(parameters, lr=LEARNING_RATE, momentum=MOMENTUM,
                                        **({name: True} if name else {}))
        except (TypeError, RuntimeError):
            continue


class Training:
    def __init__(self, model, initial, train, test, threads):
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        layout = torch.channels_last if model.startswith("lenet5") else torch.contiguous_format
        self.layout = {"memory_format": layout}
        self.initial = {name: torch.tensor(w) for name, w in initial.items()}
        self.model = MODELS[model]().to(**self.layout)
        self.x, self.y, self.test_x, self.test_y = (
            torch.from_numpy(a).contiguous(**self.layout) if a.ndim == 4 else torch.from_numpy(a)
            for a in (*train, *test))
        self.optimizers = dict(optimizers(list(self.model.parameters())))
        self.ways = {f"eager, {name} SGD" if name else "eager":
                     lambda optimizer=optimizer: self.epoch(lambda x, y: self.eager_step(optimizer, x, y))
                     for name, optimizer in self.optimizers.items()}
        if hasattr(torch, "compile"):
            compiled = torch.compile(self.functional_step, fullgraph=True, dynamic=False)
            self.ways["compiled step"] = lambda: self.epoch(compiled)
        self.reset()

    def reset(self):
        torch.manual_seed(1)
        self.model.load_state_dict(self.initial)
        self.weights = dict(self.model.named_parameters())
        self.momenta = {name: torch.zeros_like(w) for name, w in self.weights.items()}
        for optimizer in self.optimizers.values():
            optimizer.state.clear()

    def epoch(self, step):
        """Mean loss of an epoch of steps."""
        order = torch.randperm(len(self.y))
        x = self.x.index_select(0, order).contiguous(**self.layout)
        y = self.y.index_select(0, order)
        losses = [step(*batch) * len(batch[1]) for batch in zip(x.split(BATCH), y.split(BATCH))]
        return float(torch.stack(losses).sum()) / len(self.y)

    def eager_step(self, optimizer, x, y):
        loss = nn.functional.cross_entropy(self.model(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def functional_step(self, x, y):
        """The same without an autograd tape, which torch.compile would have to leave the graph for."""
        def mean_loss(weights):
            return nn.functional.cross_entropy(torch.func.functional_call(self.model, weights, (x,)), y)

        gradients, loss = torch.func.grad_and_value(mean_loss)(self.weights)
        for name, gradient in gradients.items():
            self.momenta[name].mul_(MOMENTUM).add_(gradient)
            self.weights[name].sub_(self.momenta[name], alpha=LEARNING_RATE)
        return loss

    @torch.no_grad()
    def accuracy(self):
        return float((self.model(self.test_x).argmax(1) == self.test_y).float().mean())
