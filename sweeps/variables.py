"""What a task kind promises to fill for every trial of a sweep."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Flag(NamedTuple):
    """A code of a coded variable and its meaning, one word as CF asks."""

    code: int
    meaning: str


@dataclass(frozen=True)
class Variable:
    """One result of a trial, stored over the sweep's axes and `trial`.

    `fill` means *not run*; it is never a legal value. `symbol` is its name in pictures, mathematics
    between dollar signs; empty for its own name.
    """

    name: str
    dtype: str
    long_name: str
    units: str = "1"
    flags: tuple[Flag, ...] = field(default=())
    symbol: str = ""

    @property
    def fill(self) -> Any:
        """NaN for floats, −1 for counts and codes."""
        kind = np.dtype(self.dtype)
        return kind.type(np.nan) if kind.kind == "f" else kind.type(-1)
