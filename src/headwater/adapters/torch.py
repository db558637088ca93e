"""PyTorch: a small network learnt by summed Gauss-Newton steps."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from headwater.federation.curved import Curved
from headwater.types import Vector

__all__ = ["TorchNetwork", "perceptron"]


def perceptron(dim: int) -> nn.Module:
    """Return eight hidden units and one output."""
    return nn.Sequential(nn.Linear(dim, 8), nn.SiLU(), nn.Linear(8, 1))


@dataclass(frozen=True)
class TorchNetwork(Curved):
    """What ``build(dim)`` returns, a ``torch.nn.Module`` of one output, its parameters in float64."""

    build: Callable[[int], nn.Module] = perceptron

    framework = "torch"

    @cached_property
    def module(self) -> nn.Module:
        """The untrained network; nobody else's random numbers notice that it was drawn."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self.build(self.dim).double()

    def initial(self) -> Vector:
        """Return the parameters as they were drawn."""
        flat = nn.utils.parameters_to_vector(self.module.parameters())
        return np.array(flat.detach().numpy(), dtype=np.float64)

    def outputs(self, parameters: Vector, x: Vector) -> Vector:
        """Return what the network puts out."""
        with torch.no_grad():
            return np.asarray(self._call(torch.tensor(parameters), torch.tensor(x)).numpy())

    def jacobian(self, parameters: Vector, x: Vector) -> Vector:
        """Return the gradient of each record's output."""
        gradients = vmap(grad(self._call), in_dims=(None, 0))(torch.tensor(parameters), torch.tensor(x))
        return np.asarray(gradients.numpy())

    def _call(self, flat: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        named = dict(self.module.named_parameters())
        parts = torch.split(flat, [part.numel() for part in named.values()])
        state = {name: part.view_as(like) for (name, like), part in zip(named.items(), parts, strict=True)}
        return torch.as_tensor(functional_call(self.module, state, (x,))).squeeze(-1)
