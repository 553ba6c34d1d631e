"""What a recovery problem is: data drawn from a true signal, and a loss on signals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from ...sweeps import Purpose
from ...sweeps.parameters import PARAMETERS, facts, names_with
from ...sweeps.tables import Strict
from ..ensembles import ENSEMBLES
from ..generators import generator_class
from ..numerics.network import Vector
from ..numerics.operators import Sensing
from ..theory import mirror_ratio

if TYPE_CHECKING:
    from ..point import Point

Streams = Callable[[Purpose], np.random.Generator]

# α·curvature·(gain/2)^d; it is the papers' α = 0.7 for compressed sensing with two layers of
# gain 1.
RELATIVE_STEP = 0.175
RELATIVE_TOLERANCE = 2e-10


class Misfit(NamedTuple):
    """The loss at a signal, and what its gradient needs.

    Attributes:
        loss: L(y) ≥ 0, less the problem's offset.
        residual: difference of the signal and the data.
        measured: measurements of the signal before any nonlinearity.
    """

    loss: float
    residual: Vector
    measured: Vector


class Quadratic(NamedTuple):
    """A loss ½‖A y − b‖², or ½‖|A y| − b‖² where the problem is phaseless."""

    sensing: Sensing
    observed: Vector


class Problem(ABC):
    """A recovery problem with drawn data; descent minimises f(x) = L(G(x)).

    A subclass in this package, a subclass that another package offers as an entry point of the
    group `genprior.problems`, or a registered subclass is a value of `problem` in sweep files.

    Attributes:
        name: value of `problem`.
        uses: the parameters it has that not all problems have.
        table: parameters of this problem alone: the name of their table in sweep files, and its
            model, a subclass of `Strict` whose fields are declared by `quantity`.
        phaseless: whether L is a sum of squares of |A y| − b rather than A y − b.
        sign_blind: whether y and −y have the same data, so that both count as y*.
        measures_linearly: whether the data are linear measurements A y* with noise, which methods
            without a generator can solve too.
        example: parameters of a point at which `genprior.testing` checks it, besides its sizes.
        packages: distributions that it computes with, in addition to NumPy and SciPy.
    """

    name: ClassVar[str]
    uses: ClassVar[tuple[str, ...]] = ()
    table: ClassVar[tuple[str, type[Strict]] | None] = None
    phaseless: ClassVar[bool] = False
    sign_blind: ClassVar[bool] = False
    measures_linearly: ClassVar[bool] = False
    example: ClassVar[Mapping[str, Any]] = {}
    packages: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def draw(cls, point: Point, signal: Vector, streams: Streams) -> Self:
        """Draw the data.

        Args:
            point: all parameters.
            signal: y*, shape (n,).
            streams: opens the random stream of a purpose.
        """

    @abstractmethod
    def misfit(self, signal: Vector) -> Misfit:
        """Compute L(y), in signal units to the power of the loss, and what its gradient needs."""

    @abstractmethod
    def gradient(self, misfit: Misfit) -> Vector:
        """Compute the gradient g of L in y, shape (n,); the descent vector is v = Λ_xᵀ g."""

    @abstractmethod
    def curvature(self) -> float:
        """Estimate the size of L's second derivative near y*, from the data."""

    @abstractmethod
    def scale(self) -> float:
        """Estimate ‖y*‖ from the data, in signal units."""

    @property
    def offset(self) -> float:
        """The sources' loss less L, a constant.

        Only differences of losses matter to descent, but L ≥ 0 shows how near 0 a run has come.
        """
        return 0.0

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse a point that lacks what the problem needs, or has what the problem does not have.

        Raises:
            ValueError: says what is wrong and why, in one line.
        """
        for name in names_with("absent"):
            if name in cls.uses and getattr(point, name) == facts(name).absent:
                raise ValueError(
                    f"problem '{cls.name}' needs '{name}', the {PARAMETERS[name].description}."
                )
        if point.solver.start == "mirror":
            if not generator_class(point.generator).has_mirror:
                raise ValueError(
                    f"'solver.start' is 'mirror', but generator '{point.generator}' has no mirror "
                    "point; give another start."
                )
            if cls.mirror_ratio(point.relu_layers) < 1e-9:
                raise ValueError(
                    f"'solver.start' is 'mirror', but the mirror point of problem '{cls.name}' is "
                    f"at 0 at depth {point.depth} with a last layer '{point.last_layer}'; give "
                    "another start."
                )
        if "noise.snr_db" not in cls.uses and point.noise.snr_db is not None:
            raise ValueError(
                f"problem '{cls.name}' has no 'noise.snr_db'; it has "
                f"{', '.join(cls.uses) or 'no parameters of its own'}."
            )
        if point.noise.snr_db is not None and point.noise.law != "gaussian":
            raise ValueError(
                f"'noise.law' is {point.noise.law!r}, but noise of a given 'noise.snr_db' has a "
                "uniform direction; give 'noise.sigma' to use a law."
            )
        if "ensemble" in cls.uses:
            ENSEMBLES[point.ensemble].check(point)

    @classmethod
    def check_installed(cls) -> None:
        """Refuse to run where a package is missing; planning needs none.

        Raises:
            UserError: says how to install it.
        """
        return

    @classmethod
    def mirror_ratio(cls, depth: int) -> float:
        """Give the length ρ of the mirror point −ρ x*, relative to ‖x*‖, for some ReLU layers.

        A linear layer after them nearly keeps angles and does not change it.
        """
        return mirror_ratio(depth)

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count the numbers held while the problem is drawn and solved."""
        return 4 * point.n

    @classmethod
    def has_noise(cls, point: Point) -> bool:
        """Tell whether the minimum of the loss is above 0.

        It is then often on a kink, where the descent vector never becomes short: such a run ends
        as stalled when its loss stands still.
        """
        return point.noise.sigma > 0 or point.noise.snr_db is not None

    @classmethod
    def has_matrix(cls, point: Point) -> bool:
        """Tell whether the loss is a sum of squares of A y with A stored as a matrix."""
        return False

    @classmethod
    def residuals(cls, point: Point) -> int:
        """Give the length of the residual."""
        return point.n

    def quadratic(self) -> Quadratic | None:
        """Give the loss as a sum of squares, which the fast engine needs; None if it is not one."""
        return None

    def step_size(self, point: Point) -> float:
        """Default of α: 0.175·(2/gain)^d/curvature.

        On a region, f has the second derivative Λᵀ L'' Λ, and ΛᵀΛ ≈ (gain/2)^d for wide Gaussian
        layers. Its largest eigenvalue is larger, by a factor like (1 + √(2k/n_i))² for each layer.
        Descent is stable up to α = 2 over that eigenvalue, so that 0.175 allows a factor of eleven.

        Source: Cocola 2022, Appendix H, has 0.7 for two and three layers of gain 1.
        """
        return float(RELATIVE_STEP / (network_curvature(point) * self.curvature()))

    def tolerance(self, point: Point) -> float:
        """Default of the tolerance: 2e-10·curvature·‖y*‖·(gain/2)^{d/2}, in the units of v.

        v = Λᵀ g, with ‖g‖ near curvature·‖y*‖ at the start and ‖Λ‖ near (gain/2)^{d/2}.

        Source: Cocola 2022, Appendix H, has 1e-10, which this is for two layers of gain 1.
        """
        size = self.curvature() * self.scale() * np.sqrt(network_curvature(point))
        return float(RELATIVE_TOLERANCE * size)

    def start_scale(self, point: Point) -> float:
        """Default factor on a start x_0 that is standard normal, or all ones: the generator's.

        The sources assume that the size of x* is known. It matters little to a quadratic loss, but
        deep networks are trapped more often from a start a thousand times too large.
        """
        return generator_class(point.generator).start_scale(point)


def network_curvature(point: Point) -> np.float64:
    """Estimate the size of ΛᵀΛ by the point's generator: (gain/2)^d for wide Gaussian layers."""
    return np.float64(generator_class(point.generator).curvature(point))
