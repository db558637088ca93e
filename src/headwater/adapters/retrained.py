"""PyTorch: a network trained anew on every coalition of sources, many coalitions at once."""

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from headwater.adapters.network import Network, one_thread
from headwater.types import Vector

__all__ = ["retrained"]

_AT_ONCE = 32
_RATE = 0.02


def retrained(network: Network, x: Vector, y: Vector, weights: Vector, held: Vector) -> Vector:
    """Return (coalitions, held records): what the network, trained on each coalition's records, predicts for others.

    Every coalition starts from the same parameters and passes over its records as often as the model declares, each
    pass one step of Adam on all of them: weights of 0 and 1 leave no minibatches that two coalitions could share.

    Parameters
    ----------
    x, y : (records, dim) features and (records,) labels of everyone, the labels around 0 and of about unit spread
    weights : (coalitions, records) of 0 and 1
    held : (held records, dim) features
    """
    inside, labels, outside = _tensor(x), _tensor(y), _tensor(held)
    told = []
    with one_thread():
        for start in range(0, len(weights), _AT_ONCE):
            shares = _tensor(weights[start : start + _AT_ONCE])
            told.append(_together(network, inside, labels, shares / shares.sum(dim=1, keepdim=True), outside))
    return np.concatenate(told)


def _together(network: Network, x: torch.Tensor, y: torch.Tensor, shares: torch.Tensor, held: torch.Tensor) -> Vector:
    """Train one network a row of ``shares``: their losses add up, so each gets the gradient of its own alone."""
    training = network.model.spec.training
    module: nn.Module = network.module(seed=0).float()
    stacked, _ = stack_module_state([module] * len(shares))
    parameters = {name: part.detach().clone().requires_grad_() for name, part in stacked.items()}

    def outputs(own: dict[str, torch.Tensor], records: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(functional_call(module, own, (records,))).squeeze(1)

    every = vmap(outputs, in_dims=(0, None))
    optimizer = torch.optim.Adam(parameters.values(), lr=_RATE)
    for _ in range(training.rounds * training.epochs):
        optimizer.zero_grad()
        torch.autograd.backward((shares * (every(parameters, x) - y) ** 2).sum())
        optimizer.step()
    with torch.no_grad():
        return np.asarray(every(parameters, held).numpy(), dtype=np.float64)


def _tensor(values: Vector) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)
