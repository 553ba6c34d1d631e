"""Axes of pictures: positions of values, linear or logarithmic scale, ticks and their labels."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axis import Axis, XAxis
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    LogLocator,
    MaxNLocator,
    NullLocator,
    ScalarFormatter,
)

from ...sweeps import SweepError
from .picture_text import shown_value, wrapped

WIDE = 8  # an axis is logarithmic only if its largest value is at least this times its smallest
EVEN = 1.5  # values are evenly spaced if their largest gap is at most this times their smallest
FEW = 12  # up to so many evenly spaced values all get a tick
TINY = 1e-3  # if the range is a smaller part of the values, ticks are at the values
LONG = 26  # characters in a line of a label
GAP = 0.5  # space between two labels, in units of the font size


class ValueTicks(FixedLocator):
    """Ticks at given positions; the layout leaves out labels for which there is no room."""

    def __init__(self, positions: Sequence[float], labels: Sequence[str], *, words: bool):
        super().__init__(list(positions))
        self.positions = list(positions)
        self.labels = list(labels)
        self.words = words


def is_geometric(values: np.ndarray) -> bool:
    """Say whether values are spaced like a geometric sequence over a range of at least `WIDE`."""
    values = np.unique(np.asarray(values, dtype=float))
    if values.size < 3 or values[0] <= 0 or values[-1] < WIDE * values[0]:
        return False
    gaps = np.diff(np.log(values))
    return bool(gaps.max() <= EVEN * gaps.min())


def is_logarithmic(name: str, values: np.ndarray, asked: bool) -> bool:
    """Say whether an axis is drawn logarithmically: if asked for, or if its values are geometric.

    Raises:
        SweepError: it is asked for, and a value is not a positive number.
    """
    if values.dtype.kind not in "iuf":
        if asked:
            raise SweepError(f"--log: the values of '{name}' are not numbers; leave --log out.")
        return False
    if asked and (wrong := [value for value in values.tolist() if value <= 0]):
        raise SweepError(
            f"--log: '{name}' has the value {shown_value(wrong[0])}; a logarithmic axis needs "
            "positive ones. Leave --log out."
        )
    return asked or is_geometric(values)


def refuse_log(asked: bool, what: str) -> None:
    """Refuse --log for a picture whose horizontal axis is not numeric.

    Args:
        asked: whether --log was given.
        what: the reason, for the message.

    Raises:
        SweepError: --log was given.
    """
    if asked:
        raise SweepError(f"--log: {what}; leave --log out.")


def cell_edges(centres: np.ndarray, log: bool) -> np.ndarray:
    """Give the edges of cells in the middle between ascending values, or between their logarithms.

    The cell of a single value v reaches from v − |v|/2 to v + |v|/2, that of 0 from −½ to ½, and on
    a logarithmic axis from v/√2 to v·√2.

    Args:
        centres: ascending values, shape (n,).
        log: whether the axis is logarithmic.

    Returns:
        The edges, shape (n + 1,).
    """
    at = np.log(centres) if log else np.asarray(centres, dtype=float)
    if at.size == 1:
        half = np.log(2) / 2 if log else abs(float(at[0])) / 2 or 0.5
        edges = np.array([at[0] - half, at[0] + half])
    else:
        middles = (at[1:] + at[:-1]) / 2
        edges = np.concatenate([[2 * at[0] - middles[0]], middles, [2 * at[-1] - middles[-1]]])
    return np.exp(edges) if log else edges


def tick_values(axis: Axis, values: np.ndarray) -> None:
    """Put ticks at values of an axis; the layout may leave out labels later."""
    words = values.dtype.kind not in "iuf"
    positions = np.arange(values.size) if words else values
    tick_at(axis, positions.tolist(), [shown_value(v) for v in values.tolist()], words=words)


def tick_at(axis: Axis, positions: Sequence[float], labels: Sequence[str], *, words: bool) -> None:
    """Put labels at positions of an axis; the layout may leave out labels later.

    Args:
        axis: the axis.
        positions: positions of the ticks.
        labels: their labels.
        words: whether the labels are words; they are turned before one is left out.
    """
    if words:
        labels = [wrapped(label, LONG, len) for label in labels]
    axis.set_major_locator(ValueTicks(positions, labels, words=words))
    axis.set_major_formatter(FixedFormatter(list(labels)))
    axis.set_minor_locator(NullLocator())


def tick_positions(axis: Axis, values: np.ndarray, log: bool) -> None:
    """Put ticks along a numeric axis: at its values if they are few, else at round numbers.

    The round numbers are integers if the values are.
    """
    values = np.unique(values)
    span = float(values[-1]) - float(values[0])
    gaps = np.diff(values.astype(float))
    even = values.size <= FEW and (values.size < 3 or gaps.max() <= 1.01 * gaps.min())
    if log or even or span < TINY * float(np.abs(values).max()):
        tick_values(axis, values)
        return
    whole = bool((values == np.round(values)).all())
    axis.set_major_locator(MaxNLocator(nbins=8, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(ScalarFormatter(useOffset=False))


def tick_magnitudes(axis: Axis, low: float, high: float) -> None:
    """Put ticks along a logarithmic axis.

    The ticks are powers of ten over more than three decades; else 1, 2 and 5 times powers of ten,
    if at least four of them are on the axis; else round numbers.
    """
    decades = np.log10(high / low)
    finest = np.asarray(LogLocator(subs=[1.0, 2.0, 5.0], numticks=99).tick_values(low, high))
    if decades > 3:
        ticks = np.asarray(LogLocator(numticks=9).tick_values(low, high))
    elif np.sum((finest >= low) & (finest <= high)) >= 4:
        ticks = finest
    else:
        ticks = np.asarray(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(low, high))
    ticks = ticks[(ticks >= low) & (ticks <= high) & (ticks > 0)]
    is_plain = bool(((ticks > 0.9e-3) & (ticks < 1e5)).all())
    tick_at(axis, ticks.tolist(), [_magnitude(tick, is_plain) for tick in ticks], words=False)


def _magnitude(value: float, is_plain: bool) -> str:
    """Write the label of a tick of a logarithmic axis, in full or with a power of ten."""
    if is_plain:
        return shown_value(float(f"{value:.6g}"))
    exponent = int(np.floor(np.log10(value) + 1e-9))
    digits = f"{value / 10.0**exponent:.4g}"
    factor = "" if digits == "1" else rf"{digits} \times "
    return f"${factor}10^{{{exponent}}}$"


def thin(axis: Axis, renderer: Any) -> bool:
    """Leave out labels of an axis that would touch their neighbours; say whether there were any.

    Of evenly spaced ticks every second, third, … stays.
    """
    ticks = axis.get_major_locator()
    if not isinstance(ticks, ValueTicks) or not _is_labelled(axis):
        return False
    kept = _kept(axis, ticks, renderer)
    if len(kept) == len(ticks.labels):
        return False
    positions, labels = [ticks.positions[i] for i in kept], [ticks.labels[i] for i in kept]
    tick_at(axis, positions, labels, words=ticks.words)
    return True


def turn(axis: Axis, renderer: Any) -> bool:
    """Turn labels upright if words, or too many numbers, would be left out; say whether turned."""
    ticks = axis.get_major_locator()
    if not isinstance(axis, XAxis) or not isinstance(ticks, ValueTicks) or not _is_labelled(axis):
        return False
    count, kept = len(ticks.labels), len(_kept(axis, ticks, renderer))
    if kept == count or not (ticks.words or kept < min(count, 3)):
        return False
    axis.set_tick_params(labelrotation=90)
    return True


def _is_labelled(axis: Axis) -> bool:
    shown = axis.get_major_ticks()
    return bool(shown) and shown[0].label1.get_visible()


def _kept(axis: Axis, ticks: ValueTicks, renderer: Any) -> list[int]:
    spans, gap = _spans(axis, ticks, renderer)
    middles = np.sort(spans.mean(axis=1))
    steps = np.diff(middles)
    if steps.size and steps.max() <= 1.2 * steps.min():
        return next(
            kept
            for step in range(1, len(spans) + 1)
            if _apart(spans[(kept := list(range(0, len(spans), step)))], gap)
        )
    kept = [0]
    for index in range(1, len(spans)):
        if _apart(spans[[kept[-1], index]], gap):
            kept.append(index)
    return kept


def _spans(axis: Axis, ticks: ValueTicks, renderer: Any) -> tuple[np.ndarray, float]:
    """Give the ends of each label along its axis, shape (n, 2), and the least gap, in pixels."""
    labels = [tick.label1 for tick in axis.get_major_ticks(len(ticks.labels))]
    boxes = [label.get_window_extent(renderer) for label in labels]
    across = isinstance(axis, XAxis)
    spans = np.array([[b.x0, b.x1] if across else [b.y0, b.y1] for b in boxes])
    points = float(labels[0].get_fontsize()) * (
        GAP if across and not labels[0].get_rotation() else 0.3
    )
    return spans, renderer.points_to_pixels(points)


def _apart(spans: np.ndarray, gap: float) -> bool:
    ordered = spans[np.argsort(spans[:, 0])]
    return all(first[1] + gap <= second[0] for first, second in pairwise(ordered))
