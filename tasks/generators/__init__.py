"""Families of networks, each a class in a file of its own."""

import numpy as np

from ...sweeps import Point
from ...sweeps.parameters import PARAMETERS, flat_values
from ..network import Network
from .base import Generator
from .gaussian import Gaussian, Identity, gaussian_network, identity_network
from .group_sparse import GroupSparse
from .sparse import Sparse
from .sparse_random import SparseRandom
from .trained import Trained, weights_digests
from .weights_files import weights_digest

GENERATORS: dict[str, type[Generator]] = {
    generator.name: generator
    for generator in (Gaussian, Identity, Sparse, SparseRandom, GroupSparse, Trained)
}
# What only some generators have, and which.
USERS = {
    "gain": ("gaussian",),
    "last_layer": ("gaussian", "identity", "trained"),
    "width_rule": ("gaussian", "identity"),
    "width_factor": ("gaussian", "identity"),
    "sparsity": ("sparse", "sparse-random", "group-sparse"),
    "wedge_angle": ("sparse-random",),
    "weights": ("trained",),
}
GENERATOR_PARAMETERS = ("generator", *USERS)

__all__ = [
    "GENERATORS",
    "GENERATOR_PARAMETERS",
    "Gaussian",
    "Generator",
    "GroupSparse",
    "Identity",
    "Sparse",
    "SparseRandom",
    "Trained",
    "check_generator",
    "check_metric",
    "draw_network",
    "gaussian_network",
    "generator_class",
    "identity_network",
    "weights_digest",
    "weights_digests",
]


def generator_class(name: str) -> type[Generator]:
    """Find a generator by name; sweep files know no others."""
    return GENERATORS[name]


def draw_network(random: np.random.Generator, point: Point) -> Network:
    """Draw the network of a point."""
    return generator_class(point.generator).draw(random, point)


def check_generator(point: Point) -> None:
    """Refuse a point with parameters that its generator cannot have.

    Raises:
        ValueError: saying what is wrong, in one line.
    """
    values = flat_values(point)
    for name, users in USERS.items():
        if values[name] != PARAMETERS[name].default and point.generator not in users:
            raise ValueError(
                f"'{name}' is {values[name]}, and generator '{point.generator}' has none; "
                f"{' and '.join(map(repr, users))} {'has' if len(users) == 1 else 'have'}."
            )
    if point.width_rule == "listed" and point.width_factor is not None:
        raise ValueError("'width_factor' is given without a 'width_rule'.")
    generator_class(point.generator).check(point)


def check_metric(point: Point) -> None:
    """Refuse to judge recovery by codes that are not the only ones of their signals.

    Raises:
        ValueError: saying what to give instead.
    """
    generator = generator_class(point.generator)
    if not generator.unique_codes and point.success.metric == "latent_error":
        raise ValueError(
            f"generator '{point.generator}' gives several codes the same signal; give "
            "success.metric 'signal_error'."
        )
