"""Parts that all pictures share: names of axes, options, panels, titles and captions."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from textwrap import wrap
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.legend import Legend
from matplotlib.transforms import ScaledTranslation

from ...store import StoreInfo
from ...sweeps import SweepError
from ...sweeps.parameter import Facts
from ...sweeps.parameters import PARAMETERS, facts
from ...tasks import EXPERIMENTS
from ...tasks.numerics.shared_context import shared
from ..analyses.uniform import number_of_targets
from .picture_layout import lay_out
from .picture_text import literal, shown_value

# Labels of the multipliers in presets: axes that are not parameters.
MULTIPLIERS = {
    "m_per_k": Facts(symbol="measurements per latent dimension, $m/k$", short="$m/k$"),
    "width_per_k": Facts(symbol="width per latent dimension, $n/k$"),
}
MAX_CURVES = 8
MAX_PANELS = 24
COLUMNS = 4
# Fonts with letters that Matplotlib's own font lacks; those that the machine has are used.
OTHER_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Droid Sans Fallback",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Hiragino Sans", "PingFang SC", "Yu Gothic",
    "Microsoft YaHei", "Malgun Gothic", "Arial Unicode MS", "Noto Sans", "Noto Sans Symbols2",
    "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Symbola",
)  # fmt: skip
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "figure.dpi": 160,
    "savefig.dpi": 160,
    # TrueType fonts, which editors and publishers accept, instead of Type 3.
    "pdf.fonttype": 42,
    "svg.hashsalt": "genprior",
}
COLOURS = mpl.color_sequences["tab10"]
MARKERS = "os^vPX"  # a diamond is a 50 % point
MISSING_WIDTH = 110  # characters in a line of `Look.missing`
STEP = 3.5  # points sideways between the marks of one group and of the next


@dataclass(frozen=True)
class Look:
    """Options of a picture.

    Attributes:
        size: width and height in inches; as the picture needs if None.
        title: whether the sweep's title is written above.
        log: whether the horizontal axis is logarithmic; if False, the spacing of its values
            decides.
        missing: why another picture cannot be drawn, in whose place this one is; else "".
    """

    size: tuple[float, float] | None = None
    title: bool = True
    log: bool = False
    missing: str = ""


class Picture(Figure):
    """A figure that a notebook shows as the value of a cell, without pyplot."""

    def _repr_png_(self) -> bytes:
        """Draw the figure as PNG; Jupyter calls this unless pyplot has registered its own way."""
        content = io.BytesIO()
        with own_style():
            self.savefig(content, format="png")
        return content.getvalue()


@dataclass
class Canvas:
    """A figure with panels, while it is being drawn.

    Attributes:
        figure: the figure.
        axes: its panels, row by row.
        columns: number of panels in a row.
        look: the options of the picture.
        room: least width and height of a panel, in inches, if no size is given.
        movable: the legend that is put where it covers nothing, if there is one.
    """

    figure: Figure
    axes: list[Axes]
    columns: int
    look: Look
    room: tuple[float, float]
    movable: Legend | None = None

    def finish(self) -> Figure:
        """Lay the picture out, so that nothing is cut off and nothing overlaps."""
        lay_out(self)
        return self.figure


@shared
@contextmanager
def own_style() -> Iterator[None]:
    """Draw with Matplotlib's defaults and `STYLE`, without the user's settings.

    Matplotlib's warnings, such as those about letters that no font has, are suppressed: the user
    cannot correct their cause.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        mpl.rcdefaults()
        known = {entry.name for entry in fontManager.ttflist}
        fonts = ["DejaVu Sans", *(name for name in OTHER_FONTS if name in known)]
        mpl.rcParams.update({**STYLE, "font.family": fonts})
        yield


def shown_variable(info: StoreInfo) -> str:
    """Name the variable that a picture shows: `plot.variable`, success, or the task's first.

    Raises:
        SweepError: the trials do not give `plot.variable`.
    """
    asked = info.sweep.plot.variable or "success"
    if asked == "success" and asked not in info.variables:
        return info.variables[0]
    if asked not in info.variables:
        raise SweepError(
            f"{info.path}: plot.variable: its trials give no {asked}, but "
            f"{', '.join(info.variables)}."
        )
    return asked


def each_part(dataset: xr.Dataset, groups: list[Any]) -> Iterator[tuple[str, xr.Dataset]]:
    """Give a label and the part of a dataset for each combination of values of some dimensions."""
    for index in np.ndindex(tuple(dataset.sizes[name] for name in groups)):
        part = dataset.isel(dict(zip(groups, index, strict=True)))
        values = ((name, shown_value(part.coords[name].item())) for name in groups)
        yield (
            ", ".join(
                f"{_axis_facts(name).short or name_of(name)} = {text}" for name, text in values
            ),
            part,
        )


def at_most(
    limit: int, what: str, parts: Iterator[tuple[str, xr.Dataset]], info: StoreInfo
) -> list[tuple[str, xr.Dataset]]:
    """List the parts of a picture.

    Args:
        limit: the most parts.
        what: what the parts are, for the message: "curves", "panels" or "values".
        parts: label and dataset of each, from `each_part`.
        info: the store.

    Raises:
        SweepError: there are too many parts.
    """
    listed = list(parts)
    if len(listed) > limit:
        raise SweepError(
            f"{info.path}: {len(listed)} {what} do not fit into a picture, which has at most "
            f"{limit}. Draw a part of the results with xarray."
        )
    return listed


def side_by_side(axes: Axes, count: int) -> list[dict[str, Any]]:
    """Give the markers of several groups, moved sideways so that none hides another.

    Args:
        axes: what they are drawn on.
        count: how many groups there are.

    Returns:
        For each group the keywords `marker` and `transform` of `errorbar`.
    """
    inches = [STEP * (number - (count - 1) / 2) / 72 for number in range(count)]
    moves = [ScaledTranslation(shift, 0, axes.figure.dpi_scale_trans) for shift in inches]
    return [
        {"marker": marker, "transform": axes.transData + move}
        for marker, move in zip(cycle(MARKERS), moves, strict=False)
    ]


def hold(axes: Axes, x: np.ndarray, *ys: np.ndarray) -> None:
    """Have the limits of axes hold points, which Matplotlib forgets if their marks are moved."""
    for y in ys:
        axes.update_datalim(np.column_stack([x, y]))
    axes.autoscale_view()


def in_order(dataset: Any, *dims: str) -> Any:
    """Sort a dataset or an array along those of the dimensions whose values are numbers."""
    return dataset.sortby([dim for dim in dims if dataset[dim].dtype.kind in "iuf"])


def new_canvas(panels: int, look: Look) -> Canvas:
    """Make a figure with a number of panels.

    A row has at most four panels; if a size is given, as many as its ratio of sides suits best.
    """
    rows = -(-panels // COLUMNS)
    columns = -(-panels // rows)
    if look.size:
        shapes = {-(-panels // across): across for across in range(panels, 0, -1)}
        ratio = look.size[0] / look.size[1]
        rows, columns = min(
            shapes.items(), key=lambda shape: abs(np.log(ratio * shape[0] / shape[1]))
        )
    width = 6.4 if columns == 1 else 3.1 * columns + 1
    size = look.size or (width, 4.4 if rows == 1 else 2.9 * rows + 0.8)
    figure = Picture(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for unused in axes[panels:]:
        unused.set_visible(False)
    room = (4.5 if columns == 1 else 2.1), (3.2 if rows == 1 else 1.9)
    return Canvas(figure, axes[:panels], columns, look, room)


def label_outer(canvas: Canvas, across: str, up: str) -> None:
    """Label the axes of the panels in the left column and at the bottom, and no others.

    Args:
        canvas: the panels.
        across: label of the horizontal axes.
        up: label of the vertical axes.
    """
    for index, axes in enumerate(canvas.axes):
        if index + canvas.columns < len(canvas.axes):
            axes.tick_params(labelbottom=False)
        else:
            axes.set_xlabel(across)
        if index % canvas.columns:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(up)


def add_title(canvas: Canvas, info: StoreInfo, note: str) -> None:
    """Write the sweep's title above the panels, and what marks and bars mean below."""
    if canvas.look.title:
        canvas.figure.suptitle(literal(info.sweep.title or info.sweep.name), fontsize=10)
    if targets := number_of_targets(info):
        note = f"{note}\neach draw is used for {targets} targets, of which the worst counts"
    if canvas.look.missing:
        note = "\n".join([note, *wrap(canvas.look.missing, MISSING_WIDTH)])
    canvas.figure.supxlabel(note, fontsize=7, color="0.4")


def name_of(name: str) -> str:
    """Give the label of an axis or a variable."""
    return _axis_facts(name).symbol or _variable_symbols().get(name) or literal(name)


def _axis_facts(name: str) -> Facts:
    return facts(name) if name in PARAMETERS else MULTIPLIERS.get(name, Facts())


def _variable_symbols() -> dict[str, str]:
    variables = (variable for kind in EXPERIMENTS.known() for variable in kind.variables)
    return {variable.name: variable.symbol for variable in variables if variable.symbol}
