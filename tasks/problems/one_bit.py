"""One-bit recovery: recover y* = G(x*) from the signs of dithered measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot, log, sqrt
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from ...sweeps import Purpose
from ...sweeps.parameter import quantity
from ...sweeps.point import PointBase
from ...sweeps.tables import Strict
from ..ensembles import BLOCK_ENTRIES, blocks_of_rows, draw_noise, rows_of_block
from ..numerics.network import Vector
from ..numerics.operators import Scaling
from .base import Misfit, Problem, Quadratic, Streams

if TYPE_CHECKING:
    from ..point import Point


class Dither(Strict):
    """Dither of one-bit measurements."""

    enabled: bool = quantity(True, "whether dither is added before the sign is taken", draws=True)
    amplitude: float | None = quantity(
        None,
        "λ: the dither is uniform on [−λ, λ], and the back-projection is (λ/m) Σ s_i a_i, "
        "with dither or without",
        "signal units",
        gt=0,
        draws=True,
    )
    rule: Literal["fixed", "log-m"] = quantity(
        "fixed", "what sets λ: dither.amplitude, or ½ √(‖y*‖² + σ²) log m", draws=True
    )


class DitherParameters(PointBase):
    """The dither of one-bit measurements."""

    dither: Dither = Dither()


@dataclass(frozen=True)
class OneBit(Problem):
    """s_i = sign(⟨a_i, y*⟩ + ξ_i + τ_i), L(y) = ‖y‖² − (2λ/m) Σ s_i ⟨a_i, y⟩, g = 2(y − v).

    With v = (λ/m) Σ s_i a_i the loss is ‖y − v‖² − ‖v‖²: denoising of the back-projection v, which
    is all that is stored. Rows are drawn in blocks and not kept, so that memory does not grow with
    m. Descent minimises ‖y − v‖²; the stored loss is the source's, which is negative at y*.

    a_i has entries of variance 1, τ_i is uniform on [−λ, λ], or 0 without dither; sign(0) = 1.

    Args:
        back_projection: v, shape (n,), in signal units.

    Source: Qiu, Wei & Yang, (2) and (4).
    """

    name: ClassVar[str] = "one-bit"
    uses: ClassVar[tuple[str, ...]] = (
        "m",
        "ensemble",
        "student_df",
        "noise.sigma",
        "noise.law",
        "dither.enabled",
        "dither.amplitude",
        "dither.rule",
    )
    example: ClassVar[Mapping[str, Any]] = {"dither": {"amplitude": 3.0}}

    back_projection: Vector

    @classmethod
    def draw(cls, point: Point, signal: Vector, streams: Streams) -> Self:
        """Draw rows, noise and dither, and compute the back-projection."""
        return cls(back_project(point, signal, streams))

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse a point without exactly one source of λ, or that lacks what the problem needs."""
        super().check(point)
        dither = point.dither
        if dither.rule == "fixed" and dither.amplitude is None:
            raise ValueError(
                "problem 'one-bit' needs 'dither.amplitude', the λ of the dither and of the "
                "back-projection; give it, or a 'dither.rule' that sets it."
            )
        if dither.rule == "log-m" and point.target_codes:
            raise ValueError(
                "'dither.rule' log-m computes λ from target_norm, which target_codes do not have; "
                "give 'dither.amplitude'."
            )
        if dither.rule != "fixed" and dither.amplitude is not None:
            raise ValueError(
                f"'dither.rule' is {dither.rule!r} and 'dither.amplitude' is {dither.amplitude}; "
                "give one."
            )

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count a block of rows, twice, and a few signals."""
        rows = min(rows_of_block(point.n), point.m)
        block = rows * point.n
        signs = rows * max(point.n, 64) // 4
        return 2 * block + signs + 4 * rows + 6 * point.n

    @classmethod
    def has_noise(cls, point: Point) -> bool:
        """Give True: signs are noisy."""
        return True

    @property
    def offset(self) -> float:
        """−‖v‖²."""
        return -float(self.back_projection @ self.back_projection)

    def misfit(self, signal: Vector) -> Misfit:
        """Compute ‖y − v‖², in signal units squared."""
        residual = signal - self.back_projection
        return Misfit(float(residual @ residual), residual, signal)

    def gradient(self, misfit: Misfit) -> Vector:
        """Compute 2(y − v), shape (n,)."""
        return 2 * misfit.residual

    def curvature(self) -> float:
        """Give 2, the second derivative of L: the step is half that of compressed sensing."""
        return 2.0

    def scale(self) -> float:
        """Give ‖v‖; where m is small for n it is mostly noise, which only loosens the tolerance."""
        return float(np.linalg.norm(self.back_projection))

    def quadratic(self) -> Quadratic:
        """Give ‖y − v‖² = ½‖√2 y − √2 v‖²."""
        return Quadratic(
            Scaling(self.back_projection.size, sqrt(2)), sqrt(2) * self.back_projection
        )


def dither_amplitude(point: Point) -> float:
    """Compute λ, in signal units: the point's own, or by the rule `log-m`.

    λ = ½ √(‖y*‖² + σ²) log m, and at least √(‖y*‖² + σ²). The theorem asks for
    λ ≥ 4C log(64C/ε), and an error of ε takes m ~ ε^{−2}, so that λ grows as ½ log m, in units of
    the standard deviation of ⟨a, y*⟩ + ξ. With it the bias of truncated measurements falls
    faster than the error, also for rows with exponential tails.

    Source: Qiu, Wei & Yang, Theorem 3.2, for the form; the constant is ours.
    """
    if point.dither.amplitude is not None:
        return point.dither.amplitude
    deviation = hypot(point.target_norm, point.noise.sigma)
    return deviation * max(1.0, 0.5 * log(point.m))


def back_project(
    point: Point, signal: Vector, streams: Streams, entries: int = BLOCK_ENTRIES
) -> Vector:
    """Compute v = (λ/m) Σ s_i a_i with a bounded number of rows at a time.

    Args:
        point: gives m, n, ensemble, noise and dither.
        signal: y*, shape (n,).
        streams: opens the streams of the measurements, the noise and the dither.
        entries: number of entries of a block of rows; it changes v by rounding only.

    Returns:
        Shape (n,), in signal units.
    """
    amplitude = dither_amplitude(point)
    noise, dither = streams(Purpose.NOISE), streams(Purpose.DITHER)
    total = np.zeros(point.n)
    for rows in blocks_of_rows(streams(Purpose.MEASUREMENTS), point, entries):
        seen = rows @ signal
        seen += draw_noise(noise, point, seen.shape)
        if point.dither.enabled:
            seen += amplitude * dither.uniform(-1, 1, seen.shape)
        total += rows.adjoint(np.where(seen >= 0, 1.0, -1.0))
    return total * (amplitude / point.m)
