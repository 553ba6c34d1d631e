"""What all pictures share: names, looks, panels, titles and captions."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.legend import Legend

from ..store import StoreInfo
from ..sweeps import SweepError
from ..sweeps.parameter import Facts
from ..sweeps.parameters import PARAMETERS, facts
from ..tasks import KINDS
from .analyses.uniform import number_of_targets
from .picture_layout import lay_out
from .picture_text import literal, shown_value

# What axes that only multiply are called, as presets have them.
MULTIPLIERS = {
    "m_per_k": Facts(symbol="measurements a latent dimension, $m/k$", short="$m/k$"),
    "width_per_k": Facts(symbol="width a latent dimension, $n/k$"),
}
MAX_CURVES = 8
MAX_PANELS = 24
COLUMNS = 4
# Fonts with letters that Matplotlib's own lacks; those of them that the machine has are used.
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
    # Letters as fonts that editors and publishers take, not as Type 3.
    "pdf.fonttype": 42,
    "svg.hashsalt": "genprior",
}
COLOURS = mpl.color_sequences["tab10"]


@dataclass(frozen=True)
class Look:
    """What a command asks of a picture's look.

    Attributes:
        size: width and height in inches; None for what the picture needs.
        title: whether the sweep's title is written above.
        log: whether the axis below is logarithmic though its values do not ask for it.
    """

    size: tuple[float, float] | None = None
    title: bool = True
    log: bool = False


class Picture(Figure):
    """A figure that shows itself where it is the value of a notebook's cell, without pyplot."""

    def _repr_png_(self) -> bytes:
        """Draw it as PNG; Jupyter asks for it unless pyplot has told it how to show figures."""
        content = io.BytesIO()
        with own_style():
            self.savefig(content, format="png")
        return content.getvalue()


@dataclass
class Canvas:
    """A figure of panels while it is drawn.

    Attributes:
        figure: the figure.
        axes: its panels, row by row.
        columns: panels in a row.
        look: what was asked of it.
        room: least width and height of a panel, in inches, where the size is free.
        movable: the legend that goes where it covers nothing, if there is one.
    """

    figure: Figure
    axes: list[Axes]
    columns: int
    look: Look
    room: tuple[float, float]
    movable: Legend | None = None

    def finish(self) -> Figure:
        """Lay the picture out, so that nothing is cut and nothing overlaps."""
        lay_out(self)
        return self.figure


@contextmanager
def own_style() -> Iterator[None]:
    """Draw with Matplotlib's defaults and our few changes, whatever the user's settings are.

    What Matplotlib would warn of, such as letters that no font has, is not for the user to mend.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        mpl.rcdefaults()
        known = {entry.name for entry in fontManager.ttflist}
        fonts = ["DejaVu Sans", *(name for name in OTHER_FONTS if name in known)]
        mpl.rcParams.update({**STYLE, "font.family": fonts})
        yield


def shown_variable(info: StoreInfo) -> str:
    """Name the variable that a picture shows: the sweep's, else success, else the task's first."""
    asked = info.sweep.plot.variable or "success"
    if asked == "success" and asked not in info.variables:
        return info.variables[0]
    if asked not in info.variables:
        raise SweepError(f"{info.path}: plot.variable: its trials give no {asked}.")
    return asked


def each_part(dataset: xr.Dataset, groups: list[Any]) -> Iterator[tuple[str, xr.Dataset]]:
    """Run through the groups: a label and the part of the dataset for each."""
    for index in np.ndindex(tuple(dataset.sizes[name] for name in groups)):
        one = dataset.isel(dict(zip(groups, index, strict=True)))
        values = ((name, shown_value(one.coords[name].item())) for name in groups)
        yield (
            ", ".join(
                f"{_axis_facts(name).short or name_of(name)} = {text}" for name, text in values
            ),
            one,
        )


def at_most(
    limit: int, what: str, parts: Iterator[tuple[str, xr.Dataset]], info: StoreInfo
) -> list[tuple[str, xr.Dataset]]:
    """Refuse a picture of too many parts."""
    listed = list(parts)
    if len(listed) > limit:
        raise SweepError(
            f"{info.path}: {len(listed)} {what} do not fit into a picture, at most {limit}."
        )
    return listed


def in_order(dataset: Any, *dims: str) -> Any:
    """Sort a dataset or an array along those dimensions whose values are numbers."""
    return dataset.sortby([dim for dim in dims if dataset[dim].dtype.kind in "iuf"])


def new_canvas(panels: int, look: Look) -> Canvas:
    """Make a figure of so many panels: four in a row at most, or as a given size divides best."""
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
    """Name the axes, and write numbers and names only where no panel lies below or to the left."""
    for place, axes in enumerate(canvas.axes):
        if place + canvas.columns < len(canvas.axes):
            axes.tick_params(labelbottom=False)
        else:
            axes.set_xlabel(across)
        if place % canvas.columns:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(up)


def add_title(canvas: Canvas, info: StoreInfo, note: str) -> None:
    """Write the sweep's title above the panels, and what marks and bars mean below."""
    if canvas.look.title:
        canvas.figure.suptitle(literal(info.sweep.title or info.sweep.name), fontsize=10)
    if targets := number_of_targets(info):
        note = f"{note}\nof the {targets} targets that meet each draw the worst counts"
    canvas.figure.supxlabel(note, fontsize=7, color="0.4")


def name_of(name: str) -> str:
    """Give the label of an axis or a variable."""
    return _axis_facts(name).symbol or _variable_symbols().get(name) or literal(name)


def _axis_facts(name: str) -> Facts:
    return facts(name) if name in PARAMETERS else MULTIPLIERS.get(name, Facts())


def _variable_symbols() -> dict[str, str]:
    variables = (variable for kind in KINDS.values() for variable in kind.variables)
    return {variable.name: variable.symbol for variable in variables if variable.symbol}
