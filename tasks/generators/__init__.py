"""Families of networks, each a class in a module of its own."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from ...sweeps import Grid, SweepError
from ...sweeps.parameters import PARAMETERS
from ..numerics.network import Network
from ..registry import Registry, parameters_of
from ..watched import points_to_check
from .base import Generator
from .gaussian import Gaussian, Identity, gaussian_network, identity_network
from .group_sparse import GroupSparse
from .sparse import Sparse
from .sparse_random import SparseRandom
from .trained import Trained
from .weights_files import weights_digest

if TYPE_CHECKING:
    from ..point import Point

__all__ = [
    "GENERATORS",
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


MOST_FILES = 20_000  # of a sweep

GENERATORS: Registry[Generator] = Registry(
    "generator",
    Generator,  # type: ignore[type-abstract]
    (Gaussian, Identity, Sparse, SparseRandom, GroupSparse, Trained),
)


def generator_class(name: str) -> type[Generator]:
    """Find a generator by name.

    Raises:
        SweepError: no generator has that name, it cannot be loaded, or it is not complete.
    """
    return GENERATORS.find(name)


def draw_network(random: np.random.Generator, point: Point) -> Network:
    """Draw the network of a point."""
    return generator_class(point.generator).draw(random, point)


def check_generator(point: Point) -> None:
    """Refuse a point with parameters that its generator does not have.

    Raises:
        ValueError: says what is wrong, in one line.
    """
    generator = generator_class(point.generator)
    for name in GENERATORS.parameters():
        if name in parameters_of(generator):
            continue
        value = attrgetter(name)(point)
        if value != PARAMETERS[name].default:
            users = [cls.name for cls in GENERATORS.known() if name in parameters_of(cls)]
            raise ValueError(
                f"'{name}' is {value}, but generator '{point.generator}' does not have it; "
                f"{' and '.join(map(repr, users))} {'has' if len(users) == 1 else 'have'} "
                "it. Leave it out."
            )
    if point.width_rule == "listed" and point.width_factor is not None:
        raise ValueError("'width_factor' is given without a 'width_rule'.")
    GENERATORS.ask(point.generator, "check", point)
    GENERATORS.ask_number(point.generator, "entries", point)


def weights_digests(grid: Grid) -> dict[str, str]:
    """Compute the SHA-256 of every file that the generators of a sweep read, by its path there.

    Raises:
        UserError: a file cannot be read, or a generator cannot name its files.
    """
    paths: set[str] = set()
    for index, point in points_to_check(grid, MOST_FILES):
        try:
            paths.update(GENERATORS.ask(point.generator, "files", point))
        except (ValueError, TypeError) as error:
            raise SweepError(f"{grid.place(index)}: {error}") from None
    return {path: weights_digest(path) for path in sorted(paths)}


def check_metric(point: Point) -> None:
    """Refuse success by the error of codes where several codes have the same signal.

    Raises:
        ValueError: says what to give instead.
    """
    generator = generator_class(point.generator)
    if not generator.unique_codes and point.success.metric == "latent_error":
        raise ValueError(
            f"generator '{point.generator}' gives several codes the same signal; give "
            "success.metric 'signal_error'."
        )
