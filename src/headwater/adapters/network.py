"""PyTorch: one small network, trained where the records are; outside, it is a flat vector of parameters."""

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from headwater.content.models import Model
from headwater.errors import Message, Refusal
from headwater.federation import Described, GramQuestion, UpdateQuestion
from headwater.federation.learner import fitting, sized
from headwater.statistics import Gram, Statistic, Update
from headwater.statistics.fixed_point import on_grid
from headwater.types import Vector

__all__ = ["Body", "Network", "one_thread"]

_SMALLEST_BATCH = 8
_FEWEST_STEPS, _MOST_STEPS = 16, 64
_LARGEST = 31.0
"""Of a feature of a body: what a sum of products over 2**15 records takes without rounding."""


@dataclass(frozen=True)
class Network:
    """The learner of a ``network`` model, without state: parameters go in and come out as one vector.

    All arithmetic is float64, so that a prediction does not depend on how rows are batched beyond 1e-12.
    Source: McMahan et al. 2017, algorithm 1, with Adam restarted in every round instead of plain gradient descent.

    Parameters
    ----------
    model : a definition whose ``build`` returns a ``torch.nn.Module`` with one output, its bias the last parameter
    """

    model: Model

    is_exact = False

    @property
    def rounds(self) -> int:
        """How many times the sources are asked."""
        return self.model.spec.training.rounds

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.module().parameters())

    def start(self, own: pa.Table, *, seed: int) -> Vector:
        """Return the (dim,) parameters that the bureau sends out first: drawn by ``seed``, the bias its own mean."""
        parameters = _flatten(self.module(seed=seed))
        parameters[-1] = float(np.mean(own.column(self.model.spec.target).to_numpy()))
        return parameters

    def question(self, parameters: Vector, *, seed: int) -> UpdateQuestion:
        """Return what the sources are asked in the round that starts from ``parameters``."""
        spec = self.model.spec
        return UpdateQuestion(
            spec.name,
            spec.features,
            parameters,
            target=spec.target,
            epochs=spec.training.epochs,
            learning_rate=spec.training.learning_rate,
            seed=seed,
        )

    def train(self, table: pa.Table, question: UpdateQuestion) -> tuple[Vector, int]:
        """Return the parameters after ``question.epochs`` of Adam on squared error, and the number of records used."""
        y = np.array(table.column(question.target).to_numpy(), dtype=np.float64)
        return self._trained(question.feature_map.transform(table), y, question), len(y)

    def describe(self) -> Described:
        """Return what there is to learn; without own records, it starts as it is drawn."""
        return Described("torch", "network", self.rounds, exact=False, start=_flatten(self.module()))

    def family(self, parameters: Vector) -> Update:
        """Return the family of all rounds."""
        return Update(self.dim)

    def statistic(self, parameters: Vector, x: Vector, y: Vector) -> Statistic:
        """Return what training on records makes of ``parameters``, weighted by their number."""
        fitting(x, y, dim=self.model.spec.features.dim)
        question = self.question(parameters, seed=zlib.crc32(parameters.tobytes()))
        return self.family(parameters).statistic(self._trained(x, y, question), records=len(y))

    def solve(self, parameters: Vector, statistic: Statistic) -> Vector:
        """Return the mean of the parameters, each weighted by its records."""
        return self.family(parameters).solve(statistic)

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (rows,) outputs for features ``x`` (rows, features)."""
        module = self.module()
        _restore(module, parameters)
        with torch.no_grad():
            return np.asarray(module(torch.from_numpy(x)).squeeze(1).numpy(), dtype=np.float64)

    def exact(self, parameters: Vector, *, months: tuple[date, ...] | None = None) -> GramQuestion:
        """Return the question about the last layer over the body of ``parameters``, which stays as it is."""
        return GramQuestion(Body(self, np.array(parameters)), target=self.model.spec.target, months=months)

    def resolve(self, parameters: Vector, statistic: Statistic) -> Vector:
        """Return the parameters with the last layer that is exact for the sum of the answers, the body as it was."""
        hidden = Body(self, parameters).dim - 1
        solved = Gram(hidden + 1).solve(statistic, ridge=self.model.spec.ridge)
        return np.concatenate([parameters[: -hidden - 1], solved[1:], solved[:1]])

    def share(self, parameters: Vector) -> tuple[int, int]:
        """Return that of the last layer."""
        return Body(self, parameters).dim, parameters.size

    def _trained(self, x: Vector, y: Vector, question: UpdateQuestion) -> Vector:
        module, inside, labels = self.module(), torch.from_numpy(x), torch.from_numpy(y)
        _restore(module, question.parameters)
        optimizer = torch.optim.Adam(module.parameters(), lr=question.learning_rate)
        with one_thread():
            for batch in self._batches(len(y), question):
                optimizer.zero_grad()
                torch.autograd.backward(torch.mean((module(inside[batch]).squeeze(1) - labels[batch]) ** 2))
                optimizer.step()
        return _flatten(module)

    def _batches(self, records: int, question: UpdateQuestion) -> Iterator[torch.Tensor]:
        # A small source would hardly move in a round of large batches; a large one need not take more steps for ever.
        size = min(self.model.spec.training.batch_size, max(_SMALLEST_BATCH, records // _FEWEST_STEPS))
        size = max(size, records // _MOST_STEPS)
        rng = np.random.default_rng(question.seed)
        for _ in range(question.epochs):
            yield from torch.from_numpy(rng.permutation(records)).chunk(-(-records // size))

    def module(self, *, seed: int = 0) -> nn.Module:
        """Return the untrained network that the definition builds, its parameters drawn by ``seed``."""
        # Building a network draws its first parameters; nobody else's random numbers may notice.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = self.model.build(self.model.spec.features.dim)
        if not isinstance(module, nn.Module) or [p.numel() for p in module.parameters()][-1:] != [1]:
            name = self.model.spec.name
            raise Refusal(
                "E-MODEL-BUILD",
                Message(
                    f"模型“{name}”的 build 没有返回单输出网络。", f"build of {name!r} returns no network of one output."
                ),
                Message("应返回以偏置结尾的 torch.nn.Module。", "Return a torch.nn.Module that ends with its bias."),
            )
        return module.double()


@dataclass(frozen=True, eq=False)
class Body:
    """What a network makes of records before its last layer, as features.

    They are cut off at ±31 and rounded to the grid, so that sums over records are exact whatever their order. The grid
    also hides the last bits in which machines and sizes of batches differ, but for about one value in 10**11 that lies
    on the edge between two multiples; a sum that one of those changed fails the comparison with retraining.

    Parameters
    ----------
    network : whose definition is a ``torch.nn.Sequential`` that ends with a linear layer of one output
    parameters : of the whole network; the last layer's are not used
    """

    network: Network
    parameters: Vector

    @property
    def dim(self) -> int:
        """Width of the last hidden layer, and the bias."""
        return self._layers()[1].in_features + 1

    @property
    def names(self) -> tuple[str, ...]:
        """One name per feature; the first is ``bias``."""
        return ("bias", *(f"hidden{place}" for place in range(self.dim - 1)))

    def transform(self, table: pa.Table) -> Vector:
        """Return (rows, dim) features, multiples of 2**-14, the first of them 1."""
        body, _ = self._layers()
        x = torch.from_numpy(self.network.model.spec.features.transform(table))
        with torch.no_grad(), one_thread():
            hidden = body(x).numpy()
        return np.column_stack([np.ones(len(hidden)), on_grid(np.clip(hidden, -_LARGEST, _LARGEST))])

    def to_json(self) -> str:
        """Return model and parameters: what travels in the question."""
        return json.dumps({"model": self.network.model.spec.name, "parameters": self.parameters.tobytes().hex()})

    def _layers(self) -> tuple[nn.Sequential, nn.Linear]:
        """Return all layers before the last, and the last."""
        module = self.network.module()
        _restore(module, self.parameters)
        last = module[-1] if isinstance(module, nn.Sequential) and len(module) else None
        if not isinstance(module, nn.Sequential) or not isinstance(last, nn.Linear) or last.out_features != 1:
            raise _no_head(self.network.model.spec.name)
        return nn.Sequential(*list(module)[:-1]), last


def _no_head(name: str) -> Refusal:
    return Refusal(
        "E-MODEL-HEAD",
        Message(
            f"模型“{name}”的最后一层不是单输出线性层，没有可精确求解的部分。",
            f"The model {name!r} does not end with a linear layer of one output: no part of it is exact.",
        ),
        Message("应返回以 Linear(…, 1) 结尾的 Sequential。", "Return a Sequential that ends with Linear(…, 1)."),
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep small products on one thread: shared among cores, they wait longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _flatten(module: nn.Module) -> Vector:
    with torch.no_grad():
        return np.asarray(nn.utils.parameters_to_vector(module.parameters()).numpy().copy(), dtype=np.float64)


def _restore(module: nn.Module, parameters: Vector) -> None:
    sized(parameters, size=sum(parameter.numel() for parameter in module.parameters()))
    with torch.no_grad():
        nn.utils.vector_to_parameters(torch.from_numpy(np.array(parameters, dtype=np.float64)), module.parameters())
