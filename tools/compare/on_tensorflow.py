"""Digitron's models on TensorFlow: the data resident, an epoch one graph around a step, with XLA or
without."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from layers import BATCH, LAYERS, LEARNING_RATE, MOMENTUM, channels_last_weights  # noqa: E402

VERSIONS = {"tensorflow": tf.__version__}


def logits(layers, weights, x):
    for kind, name, padding in layers:
        if kind == "conv":
            x = tf.nn.conv2d(x, weights[f"{name}.weight"], 1, "SAME" if padding else "VALID")
            x = tf.nn.bias_add(x, weights[f"{name}.bias"])
        elif kind == "fc":
            x = tf.reshape(x, (x.shape[0], -1))
            x = tf.nn.bias_add(x @ weights[f"{name}.weight"], weights[f"{name}.bias"])
        else:
            x = tf.nn.relu(x) if kind == "relu" else tf.nn.max_pool2d(x, 2, 2, "VALID")
    return x


class Training:
    def __init__(self, model, initial, train, test, threads):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        self.layers = LAYERS[model]
        self.initial = channels_last_weights(model, initial)
        self.x, self.y, self.test_x, self.test_y = (
            tf.constant(np.moveaxis(a, 1, -1) if a.ndim == 4 else a.astype(np.int32))
            for a in (*train, *test))
        self.weights = {name: tf.Variable(w) for name, w in self.initial.items()}
        self.momenta = {name: tf.Variable(tf.zeros_like(w)) for name, w in self.initial.items()}
        self.ways = {"tf.function": self.epoch_of(self.step),
                     "tf.function, XLA": self.epoch_of(tf.function(self.step, jit_compile=True))}
        self.reset()

    def reset(self):
        for name, w in self.initial.items():
            self.weights[name].assign(w)
            self.momenta[name].assign(tf.zeros_like(w))
        tf.random.set_seed(1)

    def step(self, x, y):
        """Takes a step; returns the sum of the samples' losses before it."""
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits(self.layers, self.weights, x))
            loss = tf.reduce_mean(losses)
        for name, gradient in tape.gradient(loss, self.weights).items():
            tf.raw_ops.ResourceApplyMomentum(var=self.weights[name].handle, accum=self.momenta[name].handle,
                                             lr=LEARNING_RATE, grad=gradient, momentum=MOMENTUM)
        return tf.reduce_sum(losses)

    def epoch_of(self, step):
        count = len(self.y)
        whole = count // BATCH * BATCH

        def train(index):
            return step(tf.gather(self.x, index), tf.gather(self.y, index))

        @tf.function
        def epoch():
            order = tf.random.shuffle(tf.range(count))
            loss_sum = tf.constant(0.0)
            for i in tf.range(0, whole, BATCH):
                loss_sum += train(tf.ensure_shape(order[i:i + BATCH], (BATCH,)))
            return loss_sum + train(order[whole:]) if whole < count else loss_sum

        return lambda: float(epoch()) / count

    def accuracy(self):
        guess = tf.argmax(logits(self.layers, self.weights, self.test_x), 1, tf.int32)
        return float(tf.reduce_mean(tf.cast(guess == self.test_y, tf.float32)))
