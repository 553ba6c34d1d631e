"""Small points with a measurement ensemble."""

from typing import Any

from genprior.sweeps import Point


def point(ensemble: str = "gaussian", **changes: Any) -> Point:
    """N = 70 is no multiple of 64, and m = 130 none of 7."""
    written = {"k": 2, "depth": 1, "widths": [70], "m": 130, "ensemble": ensemble, **changes}
    return Point.model_validate(written)


def one_bit(ensemble: str = "gaussian", **changes: Any) -> Point:
    return point(ensemble, **{"problem": "one-bit", "dither": {"amplitude": 2.0}, **changes})
