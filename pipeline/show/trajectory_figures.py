"""The picture of trajectories: descents on their plane, with the true code, its mirror and 0."""

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from ...sweeps import Grid
from ...tasks.experiments.trajectory import End
from ..analyses.base import Request
from .basin_figures import COLOURS
from .canvas import MAX_PANELS, Look, add_title, at_most, each_part, label_outer, new_canvas
from .picture_layout import add_legend
from .plane_figures import ACROSS_LABEL, ALONG_LABEL, draw_lines, mark_points
from .planes import plane_axes, plane_points, read_lines

MARGIN = 1.08  # half the width of the picture, relative to the farthest start
LOOKS = {
    End.TARGET: (COLOURS["target"], "ended at $x^*$"),
    End.MIRROR: (COLOURS["mirror"], "ended at the mirror"),
    End.ELSEWHERE: ("0.5", "ended elsewhere"),
    End.RUNNING: ("#5aa469", "not ended"),
}


def draw_trajectories(request: Request, ends: xr.Dataset, look: Look) -> Figure:
    """Draw the descents of the first trial of a store, with a panel for each plane.

    Args:
        request: the store and its trials.
        ends: the result of its analysis `trajectory`.
        look: options for the look of the picture.

    Raises:
        SweepError: there are too many panels.
        StoreError: the store is damaged.
    """
    info, grid = request.info, Grid(request.sweep)
    others = plane_axes(grid)
    panels = at_most(MAX_PANELS, "panels", each_part(ends, others), info)
    points = plane_points(grid)
    cells = list(np.ndindex(tuple(ends.sizes[name] for name in others)))
    lines = read_lines(request.trials, cells)
    farthest = [np.abs(line.places[0]).max() for cell in cells for line in lines[cell]
                if len(line.places)]  # fmt: skip
    reach = MARGIN * max(1.0, *farthest)
    canvas = new_canvas(len(panels), look)
    canvas.room = 1.5, 0.0
    for axes, (label, part), cell in zip(canvas.axes, panels, cells, strict=True):
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
        if not any(len(line.places) for line in lines[cell]):
            axes.text(0.5, 0.05, "not run", transform=axes.transAxes, ha="center", color="0.4")
        for end, (colour, said) in LOOKS.items():
            own = [line for line in lines[cell] if line.end == end]
            draw_lines(axes, own, colour, edge="white", label=said)
        mark_points(axes, float(part["mirror_ratio"]) if cell in points else np.nan)
        axes.set(title=label, aspect="equal")
    label_outer(canvas, ALONG_LABEL, ACROSS_LABEL)
    shown: dict[str, Artist] = {}
    for axes in canvas.axes:
        handles, labels = axes.get_legend_handles_labels()
        shown |= dict(zip(labels, handles, strict=True))
    add_legend(canvas, list(shown.values()), list(shown), inside=False)
    projected = "" if all(p.k == 2 for p in points.values()) else ", projected on the plane"
    add_title(canvas, info, f"descents from the rings{projected}; broken where x is replaced by −x")
    return canvas.finish()
