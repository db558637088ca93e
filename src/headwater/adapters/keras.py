"""Keras on PyTorch or JAX: a small network learnt by summed Gauss-Newton steps."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from headwater.federation.curved import Curved
from headwater.types import Vector

__all__ = ["KerasNetwork", "perceptron"]


def perceptron(dim: int, seed: int) -> Any:
    """Return eight hidden units and one output, drawn by ``seed``."""
    first, last = (keras.initializers.GlorotUniform(seed + place) for place in range(2))
    hidden = keras.layers.Dense(8, "silu", kernel_initializer=first, dtype="float64")
    layers = [hidden, keras.layers.Dense(1, kernel_initializer=last, dtype="float64")]
    return keras.Sequential([keras.Input((dim,), dtype="float64"), *layers])


@dataclass(frozen=True)
class KerasNetwork(Curved):
    """What ``build(dim, seed)`` returns, a ``keras.Model`` of one output without state but its weights."""

    build: Callable[[int, int], Any] = perceptron

    framework = "keras"

    @cached_property
    def model(self) -> Any:
        """The untrained network."""
        return self.build(self.dim, self.seed)

    def initial(self) -> Vector:
        """Return the weights as they were drawn."""
        return np.concatenate([np.asarray(one, dtype=np.float64).ravel() for one in self.model.get_weights()])

    def outputs(self, parameters: Vector, x: Vector) -> Vector:
        """Return what the network puts out."""
        told = self._call(keras.ops.convert_to_tensor(parameters), keras.ops.convert_to_tensor(x))
        return np.asarray(keras.ops.convert_to_numpy(told), dtype=np.float64)

    def jacobian(self, parameters: Vector, x: Vector) -> Vector:
        """Return the gradient of each record's output."""
        if keras.backend.backend() == "jax":
            from jax import grad, vmap
        else:
            from torch.func import grad, vmap  # type: ignore[assignment]
        record = vmap(grad(lambda flat, one: self._call(flat, one[None])[0]), in_dims=(None, 0))
        told = record(keras.ops.convert_to_tensor(parameters), keras.ops.convert_to_tensor(x))
        return np.asarray(keras.ops.convert_to_numpy(told), dtype=np.float64)

    def _call(self, flat: Any, x: Any) -> Any:
        ends = np.cumsum([int(np.prod(one.shape)) for one in self.model.trainable_variables])[:-1].tolist()
        parts = keras.ops.split(flat, ends)
        shaped = [keras.ops.reshape(part, like.shape) for part, like in zip(parts, self.model.trainable_variables, strict=True)]
        return self.model.stateless_call(shaped, self.model.non_trainable_variables, x)[0][:, 0]
