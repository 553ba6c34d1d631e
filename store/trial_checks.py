"""Compare the status of trials with their values: a done trial has all, others have none."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..sweeps.variables import Variable
from .layout import ERROR, SECONDS, STATUS, Status

STATES = np.array([*Status], dtype=np.int8)


def contradictions(
    values: Mapping[str, np.ndarray], variables: Sequence[Variable], excluded: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Find trials whose status contradicts their values or the rules of the sweep.

    Args:
        values: arrays over a block by name, with `status`; those that cannot be read are left out.
        variables: what the task fills.
        excluded: mask of the points that a rule excludes, over the block's axes.

    Yields:
        What is wrong, and a mask of the trials over the block, not empty.
    """
    for what, mask in _all(values, variables, excluded[..., np.newaxis]):
        if mask.any():
            yield what, mask


def _all(
    values: Mapping[str, np.ndarray], variables: Sequence[Variable], excluded: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    status = values[STATUS.name]
    done, crashed = status == Status.DONE, status == Status.CRASHED
    yield "a status that does not exist", ~np.isin(status, STATES)
    yield "excluded, but no rule excludes their point", (status == Status.EXCLUDED) & ~excluded
    yield "results of a point that a rule excludes", (done | crashed) & excluded
    unmarked = (status != Status.EXCLUDED) & ~done & ~crashed & excluded
    yield "not marked as excluded, but a rule excludes their point", unmarked
    for variable in (*variables, SECONDS):
        if variable.name not in values:
            continue
        stored = values[variable.name]
        empty = is_fill(variable, stored)
        yield f"done, but '{variable.name}' has no value", done & empty
        illegal = done & ~empty & ~is_legal(variable, stored)
        yield f"done, but '{variable.name}' has a value that it cannot have", illegal
        if variable is not SECONDS:
            yield f"crashed, but '{variable.name}' has a value", crashed & ~empty
    if ERROR.name in values:
        silent = np.asarray(values[ERROR.name] == "", dtype=bool)
        yield "done, but with an error text", done & ~silent
        yield "crashed, but without an error text", crashed & silent


def not_cleared(values: Mapping[str, np.ndarray], variables: Sequence[Variable]) -> np.ndarray:
    """Find trials that are neither done nor crashed and have values: their writer was killed.

    Returns:
        A mask over the block.
    """
    status = values[STATUS.name]
    left = np.zeros(status.shape, dtype=bool)
    for variable in (*variables, SECONDS):
        if variable.name in values:
            left |= ~is_fill(variable, values[variable.name])
    if ERROR.name in values:
        left |= np.asarray(values[ERROR.name] != "", dtype=bool)
    return left & ~np.isin(status, (Status.DONE, Status.CRASHED))


def is_fill(variable: Variable, values: np.ndarray) -> np.ndarray:
    """Find the values that mean *not run*."""
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    return np.asarray(values == variable.fill)


def is_legal(variable: Variable, values: np.ndarray) -> np.ndarray:
    """Find the values that a trial may give: codes with a meaning, counts from 0, any number.

    A time is finite and not negative.
    """
    if variable.flags:
        codes = [flag.code for flag in variable.flags if flag.code != variable.fill]
        return np.isin(values, codes)
    if variable is SECONDS:
        return np.asarray(np.isfinite(values) & (values >= 0))
    if values.dtype.kind == "f":
        return np.asarray(~np.isnan(values))
    return np.asarray(values >= 0)


def as_bits(values: np.ndarray) -> np.ndarray:
    """View numbers as unsigned integers, so that they are compared to the bit."""
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
