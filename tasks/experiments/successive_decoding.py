"""Successive decoding of several points of a Lipschitz code, sent at different scales at once.

The lower bound of the source follows from this: z = Σ_j D^j z_j, with points z_j of the code Z, is
sent as A z; the largest scale is recovered, subtracted, and so on. Each of the m measurements
carries about log₂ D bits of every z_j, so that m ≥ log₂|Z|/log₂ D = Ω(k log(Lr/δ)) are needed.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import numpy as np

from ...sweeps import Draws, Grid, Purpose
from ...sweeps.parameter import quantity
from ...sweeps.point import PointBase
from ...sweeps.tables import Strict
from ...sweeps.variables import Flag, Variable
from ..checks import check_points
from ..codes.decoders import Decoder, NearestOnRange, NearestPoint, decode
from ..codes.lipschitz_code import LipschitzCode, Symbols, check_length, draw_signs, largest_prime
from ..ensembles import ENSEMBLES, draw_sensing
from ..experiment import Experiment
from ..numerics.network import Matrix, Vector
from ..numerics.operators import Sensing
from ..unused import Rule, law_rules, refuse_unused

if TYPE_CHECKING:
    from ..point import Point

# Increase it whenever a stored number may change.
DECODING_VERSION = 1
MOST_POINTS = 10_000_000  # of a code
# Largest D^(levels − 1) for which rounding stays below a thousandth of the smallest scale.
LARGEST_RATIO = 2.0**42
RULES = (
    Rule(
        ("code.starts",),
        lambda point: point.code.decoder == "range",
        "code.decoder is 'points', which starts nowhere",
    ),
    *law_rules(lambda point: ("m", "ensemble", "student_df")),
)
VARIABLES = (
    Variable(
        "success",
        "int8",
        "whether the points of all levels were decoded",
        flags=(Flag(0, "failed"), Flag(1, "decoded")),
        symbol="success probability",
    ),
    Variable(
        "levels_decoded", "int64", "levels decoded before the first error, from the largest down"
    ),
    Variable(
        "signal_error",
        "float64",
        "relative error ‖Σ D^j (ẑ_j − z_j)‖/‖Σ D^j z_j‖",
        symbol="relative signal error $\\|G(\\hat x) - y^*\\|/\\|y^*\\|$",
    ),
    Variable("lipschitz", "float64", "L r/R: Lipschitz constant of G times its domain over radius"),
    Variable("bits", "float64", "bits sent, levels · log₂|Z|", "bit"),
)


class Code(Strict):
    """The Lipschitz code whose points are sent at several scales, and how they are decoded.

    Radius and domain of the generator are left out: they are units, and decide nothing.
    """

    codewords: int = quantity(
        11,
        "codewords P that the curve of a block goes through",
        ge=2,
        le=4096,
        draws=True,
        memory=True,
    )
    message: int | None = quantity(
        None,
        "message symbols of the outer code; by default k/2, rounded up",
        ge=1,
        le=64,
        draws=True,
        memory=True,
    )
    levels: int = quantity(
        3, "points that are sent, each at a scale of its own", ge=1, le=100, draws=True, memory=True
    )
    scale: float = quantity(
        96.0, "factor D between one scale and the next", gt=1, le=1e6, draws=True
    )
    decoder: Literal["points", "range"] = quantity(
        "points",
        "where a scale is looked for: among the points of the code, or in the generator's range, "
        "by coordinate descent, and then rounded to a point",
        memory=True,
    )
    starts: int = quantity(
        5, "random starts of the decoder in the range", ge=1, le=10_000, memory=True
    )


class CodeParameters(PointBase):
    """The code that is sent."""

    code: Code = Code()


def draw_code(random: np.random.Generator, point: Point) -> LipschitzCode:
    """Draw the point's code, of radius and domain 1."""
    signs = draw_signs(random, point.code.codewords, point.n // point.k)
    return LipschitzCode(signs, point.k, message_length(point))


def message_length(point: Point) -> int:
    """Give the message symbols of the outer code: as given, or k/2 rounded up."""
    return point.code.message or -(-point.k // 2)


def measured_corners(sensing: Sensing, code: LipschitzCode) -> Matrix:
    """Apply A to every codeword in every block, shape (k, P, m)."""
    blocks = np.arange(code.n).reshape(code.k, -1)
    return np.stack([sensing.combine(units, code.codewords.T).T for units in blocks])


def make_decoder(
    point: Point, code: LipschitzCode, corners: Matrix, random: np.random.Generator
) -> Decoder:
    """Make the point's decoder; its starts are uniform on the curves."""
    if point.code.decoder == "points":
        return NearestPoint(code, corners)
    starts = random.uniform(0, point.code.codewords - 1, (point.code.starts, code.k))
    return NearestOnRange(code, corners, starts)


class Transmission(NamedTuple):
    """The sent words, the measurements, and their decoder."""

    point: Point
    code: LipschitzCode
    sent: Symbols
    observed: Vector
    corners: Matrix
    decoder: Decoder

    def run(self) -> dict[str, int | float]:
        """Decode scale by scale; give a value for each of `VARIABLES`."""
        levels, scale = self.point.code.levels, self.point.code.scale
        decoded = decode(self.observed, levels, scale, self.decoder, self.corners)
        return outcome(self.code, self.sent, decoded, scale)


def add_scales(code: LipschitzCode, words: Symbols, scale: float) -> Vector:
    """Compute Σ_j D^j z_j, shape (n,), for the words of z_1, z_2, … ."""
    powers = scale ** np.arange(1.0, len(words) + 1)
    return np.asarray(powers @ np.array([code.point(word) for word in words]))


def outcome(
    code: LipschitzCode, sent: Symbols, found: Symbols, scale: float
) -> dict[str, int | float]:
    """Compare sent and decoded words; give a value for each of `VARIABLES`."""
    right = (sent == found).all(axis=1)[::-1]
    signal = add_scales(code, sent, scale)
    error = np.linalg.norm(add_scales(code, found, scale) - signal)
    return {
        "success": int(right.all()),
        "levels_decoded": int(np.logical_and.accumulate(right).sum()),
        "signal_error": float(error / np.linalg.norm(signal)),
        "lipschitz": code.lipschitz * code.domain / code.radius,
        "bits": len(sent) * code.message * log2(code.alphabet),
    }


def check_point(point: Point) -> None:
    """Refuse a point that makes no code, or that float64 cannot decode.

    Raises:
        ValueError: says what is wrong, in one line.
    """
    code, message = point.code, message_length(point)
    if not point.m:
        raise ValueError("task 'successive-decoding' needs 'm', the number of measurements.")
    if point.n % point.k:
        raise ValueError(f"n = {point.n} is no multiple of k = {point.k}, the number of blocks.")
    alphabet = largest_prime(code.codewords)
    if alphabet < point.k:
        raise ValueError(
            f"code.codewords = {code.codewords} has no prime from k = {point.k} up to it, and the "
            f"outer code needs a symbol for each of its k places. Raise it."
        )
    if message > point.k:
        raise ValueError(f"code.message = {message} exceeds k = {point.k}, the length of a word.")
    if alphabet**message > MOST_POINTS:
        raise ValueError(
            f"the code has {alphabet}^{message} points, and the decoder searches all of them; at "
            f"most {MOST_POINTS:,} fit. Lower code.codewords, k or code.message."
        )
    check_length(code.codewords, point.n // point.k)
    if code.scale ** (code.levels - 1) > LARGEST_RATIO:
        most = 1 + int(log2(LARGEST_RATIO) / log2(code.scale))
        raise ValueError(
            f"code.levels = {code.levels} scales of factor {code.scale:g} do not fit into the 53 "
            f"bits of a number; at most {most} do. Lower code.levels or code.scale."
        )
    ENSEMBLES[point.ensemble].check(point)


class SuccessiveDecoding(Experiment):
    """The experiment `successive-decoding`: send points of a code at once, decode them in turn."""

    name: ClassVar[str] = "successive-decoding"
    version: ClassVar[int] = DECODING_VERSION
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    parameters: ClassVar[tuple[str, ...] | None] = ("k", "n", "m", "ensemble", "student_df", "code")

    def check(self, grid: Grid) -> None:
        """Refuse points that make no code, or that float64 cannot decode.

        Raises:
            SweepError: names the point.
        """
        check_points(grid, check_point)
        refuse_unused(grid, RULES)

    def check_point(self, point: Point) -> None:
        """Refuse a point that makes no code, or that float64 cannot decode.

        Raises:
            ValueError: says what is wrong, in one line.
        """
        check_point(point)

    def draw(self, point: Point, draws: Draws) -> Transmission:
        """Draw code, messages, measurements and the decoder's starts."""
        code = draw_code(draws(Purpose.NETWORK), point)
        levels, scale = point.code.levels, point.code.scale
        messages = draws(Purpose.TARGET).integers(code.alphabet, size=(levels, code.message))
        sent = code.encode(messages)
        sensing = draw_sensing(draws(Purpose.MEASUREMENTS), point)
        corners = measured_corners(sensing, code)
        signal = add_scales(code, sent, scale)
        decoder = make_decoder(point, code, corners, draws(Purpose.START))
        return Transmission(point, code, sent, sensing @ signal, corners, decoder)

    def memory(self, point: Point) -> int:
        """Count the bytes held at once: A, the curves, all words, their images or sums."""
        message, codewords = message_length(point), point.code.codewords
        entries = 2 * point.m * point.n + 3 * codewords * (point.n // point.k)
        entries += 2 * point.k * codewords * point.m
        points = int(largest_prime(codewords) ** message)
        if point.code.decoder == "points":
            entries += points * (point.k + max(2 * point.k + message, 2 * point.m) + 2)
        else:
            entries += points * (3 * point.k + message + 2)
            entries += point.code.starts * point.m * (point.k + 4)
        # A twentieth more, for small arrays.
        return 8 * entries * 21 // 20
