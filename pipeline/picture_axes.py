"""Axes of pictures: where values lie, linear or logarithmic, and which of them have a label."""

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

from ..sweeps import SweepError
from .picture_text import shown_value, wrapped

WIDE = 8  # ratio of the largest value to the smallest from which an axis may be logarithmic
EVEN = 1.5  # ratio of the largest gap to the smallest of values that are spaced evenly
FEW = 12  # values, evenly spaced, that all have a tick
TINY = 1e-3  # part of the values that their range is, from which ticks lie at the values
LONG = 26  # letters in a line of a label
GAP = 0.5  # space between two labels, in their letters' size


class ValueTicks(FixedLocator):
    """Ticks at values; the layout leaves out labels that have no room."""

    def __init__(self, places: Sequence[float], labels: Sequence[str], *, words: bool):
        super().__init__(list(places))
        self.places = list(places)
        self.labels = list(labels)
        self.words = words


def is_geometric(values: np.ndarray) -> bool:
    """Say whether values are spaced like a geometric sequence, and far enough for it to matter."""
    values = np.unique(np.asarray(values, dtype=float))
    if values.size < 3 or values[0] <= 0 or values[-1] < WIDE * values[0]:
        return False
    gaps = np.diff(np.log(values))
    return bool(gaps.max() <= EVEN * gaps.min())


def is_logarithmic(name: str, values: np.ndarray, asked: bool) -> bool:
    """Say whether an axis is drawn logarithmically: where asked, or where its values are spaced so.

    Raises:
        SweepError: it is asked for, and a value is not positive or no number.
    """
    if values.dtype.kind not in "iuf":
        if asked:
            raise SweepError(f"--log: the values of '{name}' are no numbers; leave --log out.")
        return False
    if asked and (wrong := [value for value in values.tolist() if value <= 0]):
        raise SweepError(
            f"--log: '{name}' has the value {shown_value(wrong[0])}; a logarithmic axis needs "
            "positive ones. Leave --log out."
        )
    return asked or is_geometric(values)


def refuse_log(asked: bool, what: str) -> None:
    """Refuse --log for a picture whose axis is no axis of numbers."""
    if asked:
        raise SweepError(f"--log: {what}; leave --log out.")


def cell_edges(centres: np.ndarray, log: bool) -> np.ndarray:
    """Give cell edges half-way between ascending values; on a logarithmic axis between their logs.

    A single value has a cell as wide as itself, from half of it to half more; 0 one from −½ to ½.
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
    """Put ticks at values of an axis, as many as have room."""
    words = values.dtype.kind not in "iuf"
    places = np.arange(values.size) if words else values
    tick_at(axis, places.tolist(), [shown_value(v) for v in values.tolist()], words=words)


def tick_at(axis: Axis, places: Sequence[float], labels: Sequence[str], *, words: bool) -> None:
    """Put labels at places of an axis, as many as have room; words are turned before one goes."""
    if words:
        labels = [wrapped(label, LONG, len) for label in labels]
    axis.set_major_locator(ValueTicks(places, labels, words=words))
    axis.set_major_formatter(FixedFormatter(list(labels)))
    axis.set_minor_locator(NullLocator())


def tick_positions(axis: Axis, values: np.ndarray, log: bool) -> None:
    """Put ticks along an axis of positions: at the values if they are few, else at round numbers.

    Round numbers are integers where the values are.
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
    """Put ticks along a logarithmic axis: powers of ten, 1, 2, 5 times them, or round numbers."""
    decades = np.log10(high / low)
    finest = np.asarray(LogLocator(subs=[1.0, 2.0, 5.0], numticks=99).tick_values(low, high))
    if decades > 3:
        places = np.asarray(LogLocator(numticks=9).tick_values(low, high))
    elif np.sum((finest >= low) & (finest <= high)) >= 3:
        places = finest
    else:
        places = np.asarray(MaxNLocator(nbins=6).tick_values(low, high))
    places = places[(places >= low) & (places <= high) & (places > 0)]
    is_plain = bool(((places > 0.9e-3) & (places < 1e5)).all())
    tick_at(axis, places.tolist(), [_magnitude(p, is_plain) for p in places], words=False)


def _magnitude(value: float, is_plain: bool) -> str:
    """Write a tick of a logarithmic axis in full or with a power of ten."""
    if is_plain:
        return shown_value(float(f"{value:.6g}"))
    exponent = int(np.floor(np.log10(value) + 1e-9))
    digits = f"{value / 10.0**exponent:.4g}"
    factor = "" if digits == "1" else rf"{digits} \times "
    return f"${factor}10^{{{exponent}}}$"


def thin(axis: Axis, renderer: Any) -> bool:
    """Leave out labels of an axis that would touch the one before, and say whether there were any.

    Of evenly spaced ticks every second, third, … stays.
    """
    ticks = axis.get_major_locator()
    if not isinstance(ticks, ValueTicks) or not _is_labelled(axis):
        return False
    kept = _kept(axis, ticks, renderer)
    if len(kept) == len(ticks.labels):
        return False
    places, labels = [ticks.places[i] for i in kept], [ticks.labels[i] for i in kept]
    tick_at(axis, places, labels, words=ticks.words)
    return True


def turn(axis: Axis, renderer: Any) -> bool:
    """Turn labels upright where words, or all numbers but one, would have to go."""
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
        everywhere = range(1, len(spans) + 1)
        return next(
            kept
            for step in everywhere
            if _apart(spans[(kept := list(range(0, len(spans), step)))], gap)
        )
    kept = [0]
    for index in range(1, len(spans)):
        if _apart(spans[[kept[-1], index]], gap):
            kept.append(index)
    return kept


def _spans(axis: Axis, ticks: ValueTicks, renderer: Any) -> tuple[np.ndarray, float]:
    """Where labels begin and end along their axis, in pixels, and the space that they need."""
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
