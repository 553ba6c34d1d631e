"""What all pictures share: names, sizes, panels, labels."""

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..store import StoreInfo
from ..sweeps import SweepError
from .uniform import number_of_targets

SYMBOLS = {
    "k": "latent dimension $k$",
    "m": "number of measurements $m$",
    "n": "signal dimension $n$",
    "depth": "depth $d$",
    "m_per_k": "measurements a latent dimension, $m/k$",
    "width_factor": "constant $a$ of the widths",
    "width_per_k": "width a latent dimension, $n/k$",
    "sparsity": "sparsity $s$",
    "epsilon": "lower bound of $\\varepsilon$",
    "noise.sigma": "noise level $\\sigma$",
    "noise.snr_db": "SNR [dB]",
    "solver.step": "step size $\\alpha$",
    "success": "success probability",
    "signal_error": "relative signal error $\\|G(\\hat x) - y^*\\|/\\|y^*\\|$",
    "latent_error": "relative latent error $\\|\\hat x - x^*\\|/\\|x^*\\|$",
    "iterations": "steps",
    "loss": "loss $f(\\hat x)$",
}
SHORT = {"k": "$k$", "m": "$m$", "n": "$n$", "depth": "$d$", "m_per_k": "$m/k$", "sparsity": "$s$"}
MAX_CURVES = 8
MAX_PANELS = 24
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "legend.frameon": False,
    "savefig.dpi": 160,
    "svg.hashsalt": "genprior",
}
COLOURS = mpl.color_sequences["tab10"]


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
        parts = []
        for name in groups:
            value = one.coords[name].item()
            text = f"{value:g}" if isinstance(value, float) else str(value)
            parts.append(f"{SHORT.get(name, SYMBOLS.get(name, name))} = {text}")
        yield ", ".join(parts), one


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


def new_figure(panels: int) -> tuple[Figure, list[Axes]]:
    """Make a figure of at least so many panels, four in a row."""
    columns = min(panels, 4)
    rows = -(-panels // columns)
    width = 6.4 if columns == 1 else 3.1 * columns + 1
    figure = Figure(figsize=(width, 4.4 if rows == 1 else 2.9 * rows + 0.8), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.ravel())


def add_title(figure: Figure, info: StoreInfo, note: str) -> None:
    """Write the sweep's title above the panels, and what marks and bars mean below."""
    figure.suptitle(info.sweep.title or info.sweep.name, fontsize=10)
    if targets := number_of_targets(info):
        note = f"{note}\nof the {targets} targets that meet each draw the worst counts"
    figure.supxlabel(note, fontsize=7, color="0.4")


def name_of(axis: str) -> str:
    """Give the label of an axis or a variable."""
    return SYMBOLS.get(axis, axis)
