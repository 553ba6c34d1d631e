"""A small decoder as a file, with changes, and points that name it."""

from pathlib import Path
from typing import Any

import numpy as np
from helpers import tiny_sweep

from genprior.sweeps import Point, Sweep

K, WIDTHS = 3, (12, 20)
Named = dict[str, np.ndarray]


def arrays(seed: int = 0, biases: bool = True) -> Named:
    """A decoder R³ → R¹² → R²⁰, its units of size 1; its codes are 2 from 0 on average."""
    random = np.random.default_rng(seed)
    named = {
        "weights_1": random.standard_normal((12, 3)),
        "weights_2": random.standard_normal((20, 12)) / np.sqrt(12),
        "codes": 2 * random.standard_normal((200, 3)),
    }
    if biases:
        named |= {"biases_1": random.standard_normal(12), "biases_2": random.standard_normal(20)}
    return named


def written(folder: Path, **changes: Any) -> str:
    """That decoder as a file, with changed arrays; None takes one out."""
    named = {name: array for name, array in (arrays() | changes).items() if array is not None}
    np.savez(folder / "net.npz", **named)
    return str(folder / "net.npz")


def point(path: str, **changes: Any) -> Point:
    given = {"generator": "trained", "weights": path, "k": K, "depth": 2, "widths": WIDTHS}
    return Point.model_validate({**given, "m": 18, **changes})


def trained_sweep(*paths: str, **changes: Any) -> Sweep:
    """Three values of m for each file, four trials of few steps."""
    parameters = {"generator": "trained", "k": K, "depth": 2, "widths": list(WIDTHS)}
    parameters |= {"success.metric": "signal_error", "solver.max_steps": 30}
    if len(paths) == 1:
        parameters["weights"] = paths[0]
    axes = {"m": [4, 9, 18]} | ({"weights": list(paths)} if len(paths) > 1 else {})
    return tiny_sweep(**{"task": "recovery", "axes": axes, "parameters": parameters, **changes})
