"""The variables that an experiment gives for every trial."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Flag(NamedTuple):
    """A code of a coded variable, and its meaning in one word, as the CF conventions ask."""

    code: int
    meaning: str


@dataclass(frozen=True)
class Variable:
    """One result of a trial, stored over the sweep's axes and `trial`.

    `fill` means *not run*; it is never the result of a trial. `symbol` is the name in pictures,
    with mathematics between dollar signs; empty for `name`.
    """

    name: str
    dtype: str
    long_name: str
    units: str = "1"
    flags: tuple[Flag, ...] = field(default=())
    symbol: str = ""

    @property
    def fill(self) -> Any:
        """The value that means *not run*: NaN for floats, −1 for counts and codes."""
        kind = np.dtype(self.dtype)
        return kind.type(np.nan) if kind.kind == "f" else kind.type(-1)
