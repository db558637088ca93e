"""Keras on JAX, or on PyTorch: a small network learnt by summed Gauss-Newton steps.

On PyTorch, Keras multiplies in float32 whatever it is given: answers are then exact to 1e-7, not to the last bit.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from headwater.federation.curved import Curved
from headwater.types import Vector

# Where nobody chose one, Keras looks for TensorFlow, which is not here.
os.environ.setdefault("KERAS_BACKEND", "jax")
import keras  # noqa: E402

if keras.backend.backend() == "jax":
    from jax import enable_x64, grad, jit, vmap
else:
    from contextlib import nullcontext as enable_x64

    from torch.func import grad, vmap

    def jit(call: Callable[..., Any]) -> Callable[..., Any]:
        """Leave it as it is: PyTorch compiles nothing."""
        return call


__all__ = ["KerasNetwork", "perceptron"]


def perceptron(dim: int, seed: int) -> Any:
    """Return eight hidden units and one output, drawn by ``seed``."""
    first, last = (keras.initializers.GlorotUniform(seed + place) for place in range(2))
    hidden = keras.layers.Dense(8, "silu", kernel_initializer=first)
    return keras.Sequential([keras.Input((dim,)), hidden, keras.layers.Dense(1, kernel_initializer=last)])


@dataclass(frozen=True)
class KerasNetwork(Curved):
    """What ``build(dim, seed)`` returns, a ``keras.Model`` of one output without state but its weights."""

    build: Callable[[int, int], Any] = perceptron

    framework = "keras"

    @cached_property
    def model(self) -> Any:
        """The untrained network, all of it in float64."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("float64")
        try:
            with enable_x64(True):
                return self.build(self.dim, self.seed)
        finally:
            keras.config.set_dtype_policy(before)

    @cached_property
    def calls(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The outputs, and the gradient of each, compiled where the backend compiles."""
        return jit(self._call), jit(vmap(grad(lambda flat, one: self._call(flat, one[None])[0]), (None, 0)))

    def initial(self) -> Vector:
        """Return the weights as they were drawn."""
        drawn = [keras.ops.convert_to_numpy(one.value) for one in self.model.trainable_variables]
        return np.concatenate([np.asarray(one, dtype=np.float64).ravel() for one in drawn])

    def outputs(self, parameters: Vector, x: Vector) -> Vector:
        """Return what the network puts out."""
        return self._computed(self.calls[0], parameters, x)

    def jacobian(self, parameters: Vector, x: Vector) -> Vector:
        """Return the gradient of each record's output."""
        return self._computed(self.calls[1], parameters, x)

    def _computed(self, call: Callable[..., Any], *given: Vector) -> Vector:
        with enable_x64(True):
            told = call(*(keras.ops.convert_to_tensor(one, dtype="float64") for one in given))
            return np.asarray(keras.ops.convert_to_numpy(told), dtype=np.float64)

    def _call(self, flat: Any, x: Any) -> Any:
        like = self.model.trainable_variables
        parts = keras.ops.split(flat, np.cumsum([int(np.prod(one.shape)) for one in like])[:-1].tolist())
        shaped = [keras.ops.reshape(part, one.shape) for part, one in zip(parts, like, strict=True)]
        return self.model.stateless_call(shaped, self.model.non_trainable_variables, x)[0][:, 0]
