"""Digitron's models on JAX: the data resident, a step compiled, and an epoch as one scan of it. Inside
a scan XLA for CPUs has a slow convolution, four times as slow here, so that there it is a product."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from layers import BATCH, LAYERS, LEARNING_RATE, MOMENTUM, channels_last_weights

VERSIONS = {"jax": jax.__version__, "jaxlib": jax.lib.__version__}


def convolution(x, w, padding):
    return lax.conv_general_dilated(x, w, (1, 1), [(padding, padding)] * 2,
                                    dimension_numbers=("NHWC", "HWIO", "NHWC"))


def convolution_as_product(x, w, padding):
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    size, outputs = w.shape[0], w.shape[-1]
    n, height, width = x.shape[0], x.shape[1] - size + 1, x.shape[2] - size + 1
    windows = [x[:, i:i + height, j:j + width] for i in range(size) for j in range(size)]
    columns = jnp.concatenate(windows, -1).reshape(n * height * width, -1)
    return (columns @ w.reshape(-1, outputs)).reshape(n, height, width, outputs)


def logits(layers, convolve, weights, x):
    for kind, name, padding in layers:
        if kind == "conv":
            x = convolve(x, weights[f"{name}.weight"], padding) + weights[f"{name}.bias"]
        elif kind == "fc":
            x = x.reshape(len(x), -1) @ weights[f"{name}.weight"] + weights[f"{name}.bias"]
        elif kind == "relu":
            x = jnp.maximum(x, 0)
        else:  # maxpool 2; the way back of reduce_window is several times slower
            n, h, w, c = x.shape
            x = x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))
    return x


def mean_loss(layers, convolve, weights, x, y):
    log_p = jax.nn.log_softmax(logits(layers, convolve, weights, x))
    return -jnp.take_along_axis(log_p, y[:, None], 1).mean()


def take_step(layers, convolve, state, x, y, index):
    """(weights, momenta) and the sum of the losses -> the same after the batch of `index`."""
    weights, momenta, loss_sum = state
    loss_of = functools.partial(mean_loss, layers, convolve)
    loss, gradients = jax.value_and_grad(loss_of)(weights, x[index], y[index])
    momenta = jax.tree.map(lambda v, g: MOMENTUM * v + g, momenta, gradients)
    weights = jax.tree.map(lambda w, v: w - LEARNING_RATE * v, weights, momenta)
    return weights, momenta, loss_sum + loss * len(index)


def scan_epoch(layers, state, x, y, order):
    whole = len(order) // BATCH * BATCH
    step = functools.partial(take_step, layers, convolution_as_product)
    state, _ = lax.scan(lambda state, index: (step(state, x, y, index), None), state,
                        order[:whole].reshape(-1, BATCH))
    return step(state, x, y, order[whole:]) if whole < len(order) else state


class Training:
    def __init__(self, model, initial, train, test, threads):
        self.layers = LAYERS[model]
        self.initial = channels_last_weights(model, initial)
        self.x, self.y, self.test_x, self.test_y = (
            jnp.asarray(np.moveaxis(a, 1, -1) if a.ndim == 4 else a.astype(np.int32))
            for a in (*train, *test))
        self.step = jax.jit(functools.partial(take_step, self.layers, convolution), donate_argnums=0)
        self.scan = jax.jit(functools.partial(scan_epoch, self.layers), donate_argnums=0)
        self.ways = {"jit of a step": self.epoch_of_steps, "scan of an epoch": self.epoch_of_scan}
        self.reset()

    def reset(self):
        weights = {name: jnp.array(w) for name, w in self.initial.items()}
        self.weights, self.momenta = weights, jax.tree.map(jnp.zeros_like, weights)
        self.random = np.random.default_rng(1)

    def epoch_of_steps(self):
        state = self.weights, self.momenta, jnp.zeros(())
        order = self.random.permutation(len(self.y)).astype(np.int32)
        for i in range(0, len(order), BATCH):
            state = self.step(state, self.x, self.y, order[i:i + BATCH])
        return self.finish(state)

    def epoch_of_scan(self):
        order = self.random.permutation(len(self.y)).astype(np.int32)
        state = self.weights, self.momenta, jnp.zeros(())
        return self.finish(self.scan(state, self.x, self.y, order))

    def finish(self, state):
        self.weights, self.momenta, loss_sum = jax.block_until_ready(state)
        return float(loss_sum) / len(self.y)

    def accuracy(self):
        guess = logits(self.layers, convolution, self.weights, self.test_x).argmax(1)
        right = guess == self.test_y
        return float(right.mean())
