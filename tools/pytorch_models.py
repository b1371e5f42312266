"""Digitron's models in PyTorch. Needs torch alone, whichever is here, and installs nothing."""

from collections import OrderedDict

from torch import nn


def lenet5():
    return nn.Sequential(OrderedDict(
        conv1=nn.Conv2d(1, 6, 5, padding=2), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 16, 5), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(400, 120), relu3=nn.ReLU(),
        fc2=nn.Linear(120, 84), relu4=nn.ReLU(),
        fc3=nn.Linear(84, 10)))


def custom_mlp():
    return nn.Sequential(OrderedDict(
        flatten=nn.Flatten(),
        fc1=nn.Linear(784, 90), relu1=nn.ReLU(),
        fc2=nn.Linear(90, 70), relu2=nn.ReLU(),
        fc3=nn.Linear(70, 50), relu3=nn.ReLU(),
        fc4=nn.Linear(50, 10)))


def lenet5_improved(dropout=0.5):
    return nn.Sequential(OrderedDict(
        conv1=nn.Conv2d(1, 6, 5, padding=2), relu1=nn.ReLU(), bn1=nn.BatchNorm2d(6),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 16, 5), relu2=nn.ReLU(), bn2=nn.BatchNorm2d(16), pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(400, 120), relu3=nn.ReLU(), dropout1=nn.Dropout(dropout),
        fc2=nn.Linear(120, 84), relu4=nn.ReLU(), dropout2=nn.Dropout(dropout),
        fc3=nn.Linear(84, 10)))


MODELS = {"lenet5": lenet5, "custom-mlp": custom_mlp, "lenet5-improved": lenet5_improved}
