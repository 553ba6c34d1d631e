"""The layout of a picture: line breaks, position of the legend, ticks, and the necessary size."""

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

from ...sweeps import SweepError
from .picture_axes import thin, turn
from .picture_text import wrapped

if TYPE_CHECKING:
    from .canvas import Canvas

ROUNDS = 6  # the most times that a picture is enlarged
LEAST = (0.5, 0.4)  # least width and height of a panel of a given size, in inches
SLACK = 0.02  # inches that may be lacking
SAFE = 0.96  # part of a line's width that is used, because other formats draw text slightly wider
TITLE_LINES = 8
PANEL_WIDTH = 2.2  # width in inches of panels whose sides have a fixed ratio
LEGEND_WIDTH = 2.4  # the most inches of a line in a legend
INSIDE: tuple[Any, ...] = (
    "upper right", "upper left", "lower right", "lower left", "center right", "center left",
    "upper center", "lower center", "center",
)  # fmt: skip


class _Breakable(NamedTuple):
    """A text that may be broken into lines.

    Attributes:
        text: Matplotlib's object.
        content: its text before it was broken.
        axes: its panel; None if it belongs to the figure.
        most: the most lines; 0 for any number.
    """

    text: Text
    content: str
    axes: Axes | None
    most: int


def lay_out(canvas: "Canvas") -> None:
    """Break text into lines, place the legend, leave out labels, and enlarge until all fits.

    Raises:
        SweepError: the given size is too small.
    """
    figure, fixed = canvas.figure, canvas.look.size
    texts = _texts(figure)
    for _ in range(2):  # the title's lines depend on the width, and the height on those lines
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
    # Keep this layout when the figure is saved, in every format.
    figure.set_layout_engine("none")


def add_legend(
    canvas: "Canvas", handles: list[Any], labels: list[str], title: str = "", *, inside: bool
) -> None:
    """Add a legend to the right of the panels.

    Args:
        canvas: the picture.
        handles: the marks that it explains.
        labels: their explanations.
        title: its title; "" for none.
        inside: put it into the first panel, if it covers nothing there.
    """
    if not labels:
        return
    measure = _measure(canvas.figure, 8)
    lines = [wrapped(label, LEGEND_WIDTH, measure) for label in labels]
    axes = canvas.axes[0 if inside else canvas.columns - 1]
    legend = axes.legend(handles, lines, title=wrapped(title, LEGEND_WIDTH, measure) or None)
    if not inside:
        _put_outside(legend, axes)
    canvas.movable = legend if inside else None


def _texts(figure: Figure) -> list[_Breakable]:
    """List the texts that may be broken: title, caption, and titles and labels of panels."""
    heads = [(figure._suptitle, TITLE_LINES), (figure._supxlabel, 0)]  # type: ignore[attr-defined]
    texts = [_Breakable(text, text.get_text(), None, most) for text, most in heads if text]
    for axes in figure.axes:
        labels = (axes.title, axes.xaxis.label, axes.yaxis.label)
        texts += [_Breakable(text, text.get_text(), axes, 0) for text in labels if text.get_text()]
    return texts


def _break_headings(figure: Figure, texts: list[_Breakable]) -> None:
    """Break the title and the caption at the figure's width."""
    width = (figure.get_size_inches()[0] - 0.2) * SAFE
    for text, content, axes, most in texts:
        if axes is None:
            text.set_text(
                wrapped(content, width, _measure(figure, float(text.get_fontsize())), most)
            )


def _arrange(canvas: "Canvas", texts: list[_Breakable]) -> bool:
    """Break labels, place the legend and turn ticks once; False if the panels have no room."""
    figure = canvas.figure
    if not _execute(figure):
        return False
    changed = _break_labels(figure, texts)
    if canvas.movable is not None:
        changed |= _place_legend(canvas, canvas.movable)
    for axes in canvas.axes:
        changed |= turn(axes.xaxis, _renderer(figure))
    return _execute(figure) if changed else True


def _break_labels(figure: Figure, texts: list[_Breakable]) -> bool:
    """Break titles and labels at the panels' width and height; say whether any text changed."""
    changed = False
    for text, content, axes, most in texts:
        if axes is None:
            continue
        box = axes.get_window_extent()
        upright = text is axes.yaxis.label
        room = (box.height if upright else box.width) / figure.dpi
        lines = wrapped(content, room * SAFE, _measure(figure, float(text.get_fontsize())), most)
        changed |= lines != text.get_text()
        text.set_text(lines)
    return changed


def _place_legend(canvas: "Canvas", legend: Legend) -> bool:
    """Put a legend where it covers nothing: in the panel, else to its right.

    Returns:
        Whether it is to the right, so that the panels have changed.
    """
    axes = canvas.axes[0]
    renderer = _renderer(canvas.figure)
    for location in INSIDE:
        legend.set_loc(location)
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
    """Set the size of a picture whose panels have a fixed ratio of sides, if none is given."""
    figure, axes = canvas.figure, canvas.axes[0]
    if canvas.look.size or axes.get_aspect() == "auto":
        return
    wide = PANEL_WIDTH
    high = wide * axes.get_data_ratio() * float(axes.get_aspect())
    rows = -(-len(canvas.axes) // canvas.columns)
    if not _execute(figure):
        return
    present = axes.get_position(original=True)
    margins = np.array([1 - canvas.columns * present.width, 1 - rows * present.height])
    panels = np.array([canvas.columns * wide, rows * high])
    figure.set_size_inches(margins * figure.get_size_inches() + panels)


def _lacking(canvas: "Canvas", room: tuple[float, float]) -> np.ndarray:
    """Give the inches that a picture lacks in width and height, shape (2,).

    Args:
        canvas: the picture.
        room: least width and height of a panel, in inches.
    """
    figure = canvas.figure
    boxes = [axes.get_window_extent() for axes in canvas.axes]
    rows = -(-len(canvas.axes) // canvas.columns)
    least = np.array([min(b.width for b in boxes), min(b.height for b in boxes)]) / figure.dpi
    lacking = np.maximum(np.array(room) - least, 0) * [canvas.columns, rows]
    drawn = figure.get_tightbbox(_renderer(figure))
    lowest, highest = np.asarray(drawn.min), np.asarray(drawn.max)
    outside = np.maximum(-lowest, 0) + np.maximum(highest - figure.get_size_inches(), 0)
    total = lacking + outside
    return np.where(total > SLACK, total, 0.0)


def _execute(figure: Figure) -> bool:
    """Run Matplotlib's layout; say whether the panels have any room."""
    engine = figure.get_layout_engine()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if engine is not None:
            engine.execute(figure)
        for axes in figure.axes:
            axes.apply_aspect()
    return not any("collapsed" in str(warning.message) for warning in caught)


def _measure(figure: Figure, size: float) -> Callable[[str], float]:
    """Give a function that measures the width of a text, in inches."""
    text = Text(0, 0, "", fontsize=size)
    text.set_figure(figure)

    def width(content: str) -> float:
        text.set_text(content)
        return float(text.get_window_extent(_renderer(figure)).width) / figure.dpi

    return width


def _renderer(figure: Figure) -> Any:
    return figure.canvas.get_renderer()  # type: ignore[attr-defined]
