"""Parts of pictures of planes: the true code, its mirror and 0, and descents as lines."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .planes import Line

VISIBLE = 1e-9  # a mirror point closer to 0 is not marked; in units of ‖x*‖
ALONG_LABEL, ACROSS_LABEL = "along $x^*$, in $\\|x^*\\|$", "across, in $\\|x^*\\|$"


def mark_points(axes: Axes, ratio: float) -> None:
    """Mark the true code, its mirror and 0 if they lie within the limits of the axes.

    Args:
        axes: the axes of the plane.
        ratio: length of the mirror point in units of ‖x*‖; NaN if it is not known.
    """
    style: dict[str, Any] = {"ls": "none", "mec": "black", "mew": 0.7, "zorder": 5}
    marks: list[tuple[float, dict[str, Any]]] = [
        (1.0, {"marker": "*", "ms": 12, "color": "#ffd24d", "label": "$x^*$"}),
        (-ratio, {"marker": "X", "ms": 7, "color": "#e8694a", "label": "mirror $-\\rho x^*$"}),
        (0.0, {"marker": "o", "ms": 5, "color": "white", "label": "0"}),
    ]
    (left, right), (bottom, top) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    for along, look in marks:
        # A mirror at 0 is not marked, nor one that is not known.
        is_mark = look["marker"] != "X" or ratio > VISIBLE
        if is_mark and left <= along <= right and bottom <= 0 <= top:
            axes.plot([along], [0], **look, **style)


def draw_lines(
    axes: Axes, lines: Iterable[Line], colour: Any, *, edge: Any, label: str = ""
) -> None:
    """Draw descents with a ring at each start and a dot at each last iterate.

    Args:
        axes: the axes of the plane; their limits do not change.
        lines: the descents.
        colour: colour of the lines.
        edge: colour of the edge of the dots.
        label: label of the lines in the legend; empty for no entry.
    """
    bounds: Any = (*axes.get_xlim(), *axes.get_ylim())
    lines = [line for line in lines if len(line.places)]
    for number, line in enumerate(lines):
        # A leading underscore keeps a line out of the legend.
        named = label if label and not number else "_"
        axes.plot(*line.places.T, "-", color=colour, lw=1.0, alpha=0.9, label=named)
    if lines:
        starts, ends = (np.array([line.places[at] for line in lines]) for at in (0, -1))
        axes.plot(*starts.T, "o", color="none", ms=3.5, mec=colour, mew=0.8)
        axes.plot(*ends.T, ".", color=colour, ms=5, mec=edge, mew=0.4)
    axes.set(xlim=bounds[:2], ylim=bounds[2:])
