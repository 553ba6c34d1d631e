"""The layout of a picture: lines of text, the place of the legend, ticks, and the size it needs."""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from ..sweeps import SweepError
from .picture_axes import thin, turn
from .picture_text import wrapped

if TYPE_CHECKING:
    from .canvas import Canvas

ROUNDS = 6  # times that a picture may grow
LEAST = (0.5, 0.4)  # inches: a panel smaller than this shows nothing
SLACK = 0.02  # inches
SAFE = 0.96  # of a line's width that is filled: other formats set letters a little wider
TITLE_LINES = 8
PANEL_WIDTH = 2.2  # inches of panels whose sides have a fixed ratio
LEGEND_WIDTH = 2.4  # inches of a label in a legend
INSIDE: tuple[Any, ...] = (
    "upper right", "upper left", "lower right", "lower left", "center right", "center left",
    "upper center", "lower center", "center",
)  # fmt: skip


class _Written(NamedTuple):
    """A text, what is written in it, its panel (None: the figure), and the most lines (0: any)."""

    text: Text
    written: str
    axes: Axes | None
    most: int


def lay_out(canvas: "Canvas") -> None:
    """Break text into lines, place the legend, thin the ticks, and grow until all has room.

    Raises:
        SweepError: the size that was asked for is too small.
    """
    figure, fixed = canvas.figure, canvas.look.size
    texts = _texts(figure)
    for _ in range(2):  # the title's lines depend on the width, the height on the title's lines
        _fit_aspect(canvas)
        _break_headings(figure, texts)
    _fit_aspect(canvas)
    for _ in range(ROUNDS):
        has_room = _arrange(canvas, texts)
        lacking = _lacking(canvas, LEAST if fixed else canvas.room) if has_room else None
        if lacking is not None and not lacking.any():
            break
        if fixed:
            width, height = fixed
            raise SweepError(
                f"--size {width:g}x{height:g}: too small for this picture; give more, or leave "
                "--size out."
            )
        size = figure.get_size_inches()
        grown = size * 1.25 if lacking is None else size + lacking
        figure.set_size_inches(float(grown[0]), float(grown[1]))
        _break_headings(figure, texts)
    axes = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    thinned = [thin(axis, _renderer(figure)) for axis in axes]
    if any(thinned):
        _execute(figure)
    # What was measured is what is drawn, in every format.
    figure.set_layout_engine("none")


def add_legend(
    canvas: "Canvas", handles: list[Any], labels: list[str], title: str = "", *, inside: bool
) -> None:
    """Explain marks to the right of the panels; or inside the first, if it covers nothing there."""
    if not labels:
        return
    measure = _measure(canvas.figure, 8)
    lines = [wrapped(label, LEGEND_WIDTH, measure) for label in labels]
    axes = canvas.axes[0 if inside else canvas.columns - 1]
    legend = axes.legend(handles, lines, title=wrapped(title, LEGEND_WIDTH, measure) or None)
    if not inside:
        _put_outside(legend, axes)
    canvas.movable = legend if inside else None


def _texts(figure: Figure) -> list[_Written]:
    """Give what is broken into lines."""
    heads = [(figure._suptitle, TITLE_LINES), (figure._supxlabel, 0)]  # type: ignore[attr-defined]
    found = [_Written(text, text.get_text(), None, most) for text, most in heads if text]
    for axes in figure.axes:
        labels = (axes.title, axes.xaxis.label, axes.yaxis.label)
        found += [_Written(text, text.get_text(), axes, 0) for text in labels if text.get_text()]
    return found


def _break_headings(figure: Figure, texts: list[_Written]) -> None:
    """Break the title and the caption at the figure's width."""
    width = (figure.get_size_inches()[0] - 0.2) * SAFE
    for text, written, axes, most in texts:
        if axes is None:
            text.set_text(
                wrapped(written, width, _measure(figure, float(text.get_fontsize())), most)
            )


def _arrange(canvas: "Canvas", texts: list[_Written]) -> bool:
    """Lay out once, with lines, legend and ticks as the panels allow; False if there is no room."""
    figure = canvas.figure
    if not _execute(figure):
        return False
    changed = _break_labels(figure, texts)
    if canvas.movable is not None:
        changed |= _place_legend(canvas, canvas.movable)
    for axes in canvas.axes:
        changed |= turn(axes.xaxis, _renderer(figure))
    return _execute(figure) if changed else True


def _break_labels(figure: Figure, texts: list[_Written]) -> bool:
    """Break the titles and labels of panels at the panels' width and height."""
    changed = False
    for text, written, axes, most in texts:
        if axes is None:
            continue
        box = axes.get_window_extent()
        upright = text is axes.yaxis.label
        room = (box.height if upright else box.width) / figure.dpi
        lines = wrapped(written, room * SAFE, _measure(figure, float(text.get_fontsize())), most)
        changed |= lines != text.get_text()
        text.set_text(lines)
    return changed


def _place_legend(canvas: "Canvas", legend: Legend) -> bool:
    """Put a legend where it covers nothing: in the panel, else to its right."""
    axes = canvas.axes[0]
    renderer = _renderer(canvas.figure)
    for place in INSIDE:
        legend.set_loc(place)
        box = legend.get_window_extent(renderer)
        within = axes.get_window_extent()
        fits = box.width < within.width and box.height < within.height
        if fits and not covers(box, axes):
            return False
    canvas.movable = None
    width = legend.get_window_extent(renderer).width / canvas.figure.dpi
    _put_outside(legend, axes)
    if canvas.look.size is None:
        size = canvas.figure.get_size_inches()
        canvas.figure.set_size_inches(size + np.array([width, 0]))
    return True


def _put_outside(legend: Legend, axes: Axes) -> None:
    legend.set_bbox_to_anchor((1.02, 1.0), axes.transAxes)
    legend.set_loc("upper left")


def covers(box: Bbox, axes: Axes) -> bool:
    """Say whether a box, in pixels, covers a point, a line, a bar or a band of a panel."""
    grown = box.padded(2)
    return any(_meets(artist, grown) for artist in (*axes.lines, *axes.collections, *axes.patches))


def _meets(artist: Any, box: Bbox) -> bool:
    if isinstance(artist, Line2D):
        path = artist.get_transform().transform_path(artist.get_path()).cleaned(remove_nans=True)
        around = box.padded(artist.get_markersize()) if artist.get_marker() != "None" else box
        points = np.asarray(path.vertices)
        points = points if path.codes is None else points[np.asarray(path.codes) != Path.STOP]
        near = bool(len(points)) and around.count_contains(points) > 0
        return near or (
            artist.get_linestyle() != "None" and path.intersects_bbox(box, filled=False)
        )
    paths = artist.get_paths() if hasattr(artist, "get_paths") else [artist.get_path()]
    filled = not isinstance(artist, LineCollection)
    shapes = (artist.get_transform().transform_path(path) for path in paths)
    return any(s.cleaned(remove_nans=True).intersects_bbox(box, filled=filled) for s in shapes)


def _fit_aspect(canvas: "Canvas") -> None:
    """Make a picture as high as it must be for panels whose sides have a fixed ratio."""
    figure, axes = canvas.figure, canvas.axes[0]
    if canvas.look.size or axes.get_aspect() == "auto":
        return
    wide = PANEL_WIDTH
    high = wide * axes.get_data_ratio() * float(axes.get_aspect())
    rows = -(-len(canvas.axes) // canvas.columns)
    if not _execute(figure):
        return
    given = axes.get_position(original=True)
    around = np.array([1 - canvas.columns * given.width, 1 - rows * given.height])
    panels = np.array([canvas.columns * wide, rows * high])
    figure.set_size_inches(around * figure.get_size_inches() + panels)


def _lacking(canvas: "Canvas", room: tuple[float, float]) -> np.ndarray:
    """By how many inches a picture is too small in width and height."""
    figure = canvas.figure
    boxes = [axes.get_window_extent() for axes in canvas.axes]
    rows = -(-len(canvas.axes) // canvas.columns)
    least = np.array([min(b.width for b in boxes), min(b.height for b in boxes)]) / figure.dpi
    lacking = np.maximum(np.array(room) - least, 0) * [canvas.columns, rows]
    around = figure.get_tightbbox(_renderer(figure))
    lowest, highest = np.asarray(around.min), np.asarray(around.max)
    beyond = np.maximum(-lowest, 0) + np.maximum(highest - figure.get_size_inches(), 0)
    total = lacking + beyond
    return np.where(total > SLACK, total, 0.0)


def _execute(figure: Figure) -> bool:
    """Run the layout; say whether the panels have any room at all."""
    engine = figure.get_layout_engine()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        if engine is not None:
            engine.execute(figure)
        for axes in figure.axes:
            axes.apply_aspect()
    return not any("collapsed" in str(warning.message) for warning in said)


def _measure(figure: Figure, size: float) -> Callable[[str], float]:
    """Give a function that measures the width of a text, in inches."""
    text = Text(0, 0, "", fontsize=size)
    text.set_figure(figure)

    def width(written: str) -> float:
        text.set_text(written)
        return float(text.get_window_extent(_renderer(figure)).width) / figure.dpi

    return width


def _renderer(figure: Figure) -> Any:
    return figure.canvas.get_renderer()  # type: ignore[attr-defined]
