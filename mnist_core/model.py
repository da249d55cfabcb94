"""The book's ConvNet: two convolutions, one pooling, two fully connected layers."""

from __future__ import annotations

import torch
import torch.nn as nn
import torch.nn.functional as F

from mnist_core.config import ACTIVATIONS, TrainConfig

IMAGE_SIZE = 28  # pixels; MNIST's pictures are square
KERNEL_SIZE = 3  # pixels
POOL_SIZE = 2  # pixels
HIDDEN_UNITS = 64
CLASSES = 10
# Two unpadded convolutions, then pooling: 12 pixels.
_MAP_SIZE = (IMAGE_SIZE - 2 * (KERNEL_SIZE - 1)) // POOL_SIZE


class ConvNet(nn.Module):
    """The chapter's network: 300,426 parameters in `cn1`, `cn2`, `fc1` and `fc2`.

    Args:
        activation: "relu", "leaky_relu", "tanh" or "sigmoid"; applied after cn1, cn2 and fc1.
        negative_slope: by which leaky ReLU multiplies negative inputs; ignored by the others.
        dropout1: share of the 32 pooled feature maps switched off while training.
        dropout2: share of the 64 hidden units switched off while training.

    Raises:
        ValueError: an activation that is none of these.
    """

    def __init__(
        self,
        *,
        activation: str = "relu",
        negative_slope: float = 0.01,
        dropout1: float = 0.10,
        dropout2: float = 0.25,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}; got {activation!r}.")
        self.cn1 = nn.Conv2d(1, 16, KERNEL_SIZE)
        self.cn2 = nn.Conv2d(16, 32, KERNEL_SIZE)
        self.dp1 = nn.Dropout2d(dropout1)
        # The book writes Dropout2d here too, but this layer sees (N, 64), one number per channel, where
        # Dropout does the same without Dropout2d's warning.
        self.dp2 = nn.Dropout(dropout2)
        self.fc1 = nn.Linear(self.cn2.out_channels * _MAP_SIZE * _MAP_SIZE, HIDDEN_UNITS)
        self.fc2 = nn.Linear(HIDDEN_UNITS, CLASSES)
        self.activation = activation
        self.negative_slope = negative_slope

    @classmethod
    def from_config(cls, config: TrainConfig) -> ConvNet:
        """The network that `config` describes, its weights drawn from torch's global generator."""
        return cls(
            activation=config.activation,
            negative_slope=config.negative_slope,
            dropout1=config.dropout1,
            dropout2=config.dropout2,
        )

    @classmethod
    def with_weights(cls, weights: dict[str, torch.Tensor], config: TrainConfig) -> ConvNet:
        """The network that `config` describes with a copy of these weights, in evaluation mode.

        It draws nothing from torch's global generator, so it may be built while another thread trains.
        """
        with torch.device("meta"):
            model = cls.from_config(config)
        model.load_state_dict({name: tensor.clone() for name, tensor in weights.items()}, assign=True)
        return model.eval()

    def activate(self, x: torch.Tensor) -> torch.Tensor:
        """The chosen activation, element by element: any shape in, the same shape out."""
        match self.activation:
            case "relu":
                return F.relu(x)
            case "leaky_relu":
                return F.leaky_relu(x, self.negative_slope)
            case "tanh":
                return torch.tanh(x)
            case _:
                return torch.sigmoid(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 1, 28, 28) normalised pictures -> (N, 10) log-probabilities."""
        x = self.cn1(x)  # (N, 16, 26, 26)
        x = self.activate(x)
        x = self.cn2(x)  # (N, 32, 24, 24)
        x = self.activate(x)
        x = F.max_pool2d(x, POOL_SIZE)  # (N, 32, 12, 12)
        x = self.dp1(x)
        x = torch.flatten(x, 1)  # (N, 4608)
        x = self.fc1(x)  # (N, 64)
        x = self.activate(x)
        x = self.dp2(x)
        x = self.fc2(x)  # (N, 10)
        op = F.log_softmax(x, dim=1)
        return op
