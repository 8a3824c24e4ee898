"""A VGG-19 of few channels and random weights, for losses on its features."""

import torch
from torch import nn


def tiny_vgg(width: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    layers, channels = [], 3
    for convolutions in (2, 2, 4, 4, 4):
        for _ in range(convolutions):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            nn.init.kaiming_normal_(layers[-2].weight, nonlinearity='relu')
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers).requires_grad_(False).eval()
