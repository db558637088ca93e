"""JAX: a small network, any pure function of a tree of arrays, learnt by summed Gauss-Newton steps."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from headwater.federation.curved import Curved
from headwater.types import Vector

__all__ = ["JaxNetwork", "outputs", "perceptron"]


def perceptron(dim: int, key: Any) -> Any:
    """Return the parameters of eight hidden units and one output, drawn by ``key``."""
    first, second = jax.random.split(key)
    hidden = jax.random.normal(first, (dim, 8)) / jnp.sqrt(dim)
    return [(hidden, jnp.zeros(8)), (jax.random.normal(second, (8, 1)) / jnp.sqrt(8.0), jnp.zeros(1))]


def outputs(parameters: Any, x: Any) -> Any:
    """Return what these put out for ``x`` (…, dim)."""
    (hidden, shift), (last, bias) = parameters
    return (jax.nn.silu(x @ hidden + shift) @ last + bias)[..., 0]


@dataclass(frozen=True)
class JaxNetwork(Curved):
    """``call(build(dim, key), x)``, one output a record, in float64 whatever JAX is set to elsewhere."""

    build: Callable[[int, Any], Any] = perceptron
    call: Callable[[Any, Any], Any] = outputs

    framework = "jax"

    @cached_property
    def flat(self) -> tuple[Vector, Callable[[Any], Any]]:
        """The parameters drawn by ``seed`` as one vector, and the way back to a tree."""
        with jax.enable_x64(True):
            vector, tree = ravel_pytree(self.build(self.dim, jax.random.key(self.seed)))
            return np.asarray(vector, dtype=np.float64), tree

    @cached_property
    def compiled(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The outputs, and the gradient of each."""
        return jax.jit(self._call), jax.jit(jax.vmap(jax.grad(self._call), (None, 0)))

    def initial(self) -> Vector:
        """Return the parameters as they were drawn."""
        return self.flat[0]

    def outputs(self, parameters: Vector, x: Vector) -> Vector:
        """Return what the network puts out."""
        with jax.enable_x64(True):
            return np.asarray(self.compiled[0](jnp.asarray(parameters), jnp.asarray(x)))

    def jacobian(self, parameters: Vector, x: Vector) -> Vector:
        """Return the gradient of each record's output."""
        with jax.enable_x64(True):
            return np.asarray(self.compiled[1](jnp.asarray(parameters), jnp.asarray(x)))

    def _call(self, parameters: Any, x: Any) -> Any:
        return self.call(self.flat[1](parameters), x)
