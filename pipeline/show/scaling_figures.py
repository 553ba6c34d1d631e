"""The picture of a scaling law: 50 % points over k, against the law and against each shape."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...store import StoreError, StoreInfo
from ...tasks.statistics.outcomes import EXCLUDED, NO_TRIALS
from .canvas import (
    COLOURS,
    MAX_CURVES,
    MAX_PANELS,
    Look,
    add_title,
    at_most,
    each_part,
    label_outer,
    name_of,
    new_canvas,
    side_by_side,
)
from .picture_axes import tick_at, tick_magnitudes
from .picture_layout import add_legend
from .picture_text import literal, shown_value
from .scaling_tables import term_name, term_value

LATENT, DEPTH = "k", "depth"  # if they vary, across and as curves
MARGIN = 1.3  # beyond the intervals; a shape that is further off leaves the panel


class _Plan(NamedTuple):
    """How groups are drawn.

    Attributes:
        across: the axis of the sweep whose values are across; None if none varies.
        by: the axis with a curve for each value; None if there is one curve.
        others: the other axes that vary.
    """

    across: str | None
    by: str | None
    others: list[str]

    @property
    def relative(self) -> bool:
        """Whether the 50 % points are drawn over k."""
        return self.across == LATENT


def draw_scaling(info: StoreInfo, fitted: xr.Dataset, look: Look) -> Figure:
    """Draw the 50 % points, over k if it varies, and in each panel a law.

    The first panel has the law with all terms, each other one a shape with one constant.

    Raises:
        StoreError: no group enters the law.
        SweepError: there are too many shapes or curves.
    """
    if not fitted["used"].any():
        raise StoreError(f"{info.path}: no group enters the law; there is nothing to draw.")
    flat = _flat(fitted)
    plan = _plan(flat, [str(dim) for dim in fitted["used"].dims])
    x = _positions(flat, plan)
    flat = flat.assign(x=("group", x), scale=("group", x if plan.relative else np.ones(x.size)))
    shapes = each_part(flat, ["theory"]) if "theory" in flat.dims else iter(())
    listed = at_most(MAX_PANELS - 1, "shapes", shapes, info)
    panels = [(_heading("law with all terms", fitted.attrs["tau"]), flat["law"])]
    for _, part in listed:
        heading = _heading(str(part["theory"].item()), part["shape_tau"].item())
        panels.append((heading, part["shape_law"]))
    canvas = new_canvas(len(panels), look)
    curves = _curves(flat, plan, info)
    on_line = np.ones(x.size, dtype=bool)
    for _, groups in curves:
        on_line[groups] = _on_line(flat.isel(group=groups), plan)
    flat = flat.assign(on_line=("group", on_line))
    for axes, (heading, law) in zip(canvas.axes, panels, strict=True):
        _panel(axes, flat.assign(drawn=law), plan, curves)
        axes.set_title(heading)
    _name_hollow(canvas.axes[0], flat, plan, curves)
    _share_limits(canvas.axes, flat, plan)
    of = name_of(fitted.attrs["of"])
    up = f"${literal(fitted.attrs['of'])}/k$" if plan.relative else of
    label_outer(canvas, name_of(plan.across or "group"), f"{up} at 50 % success")
    if plan.by is not None:
        add_legend(canvas, *canvas.axes[0].get_legend_handles_labels(), inside=True)
    single = any(ln.get_marker() == "x" and np.size(ln.get_xdata()) for ln in canvas.axes[0].lines)
    notes = [f"bars: 95 % intervals; lines{' and crosses' * single}: the law of the panel"]
    if not on_line.all():
        named = " or ".join(map(name_of, plan.others))
        notes.append(f"hollow: groups with another {named} than most; the first panel gives it")
    ran = [why for why in fitted["left_out"].values.flat if why not in (EXCLUDED, NO_TRIALS)]
    if without := sum(why != "" for why in ran):
        notes.append(f"{without} of {len(ran)} groups left out")
    notes += ["shapes of theorems: each with one constant"] * bool(listed)
    add_title(canvas, info, "\n".join(["; ".join(notes), _terms(fitted)]))
    return canvas.finish()


def _heading(name: str, tau: float) -> str:
    if math.isnan(tau):
        return f"{name}: no value in some group"
    return f"{name}: scatter {100 * tau:.0f} %"


def _flat(fitted: xr.Dataset) -> xr.Dataset:
    """Put the groups that enter into one dimension."""
    dims = [str(dim) for dim in fitted["used"].dims]
    flat = fitted.stack(group=dims, create_index=False) if dims else fitted.expand_dims("group")
    return flat.isel(group=np.flatnonzero(flat["used"].values))


def _plan(flat: xr.Dataset, dims: Sequence[str]) -> _Plan:
    """Choose what is across and what has a curve for each value: k and depth if they vary."""
    counts = {dim: len(set(flat[dim].values.tolist())) for dim in dims}
    varied = sorted((dim for dim in dims if counts[dim] > 1), key=lambda dim: -counts[dim])
    across = next((dim for dim in (LATENT, *varied) if dim in varied), None)
    left = [dim for dim in varied if dim != across]
    by = next((dim for dim in (DEPTH, *left) if dim in left), None)
    return _Plan(across, by, [dim for dim in left if dim != by])


def _curves(flat: xr.Dataset, plan: _Plan, info: StoreInfo) -> list[tuple[str, np.ndarray]]:
    """Give a label and the groups of each curve."""
    if plan.by is None:
        return [("", np.arange(flat.sizes["group"]))]
    values = list(dict.fromkeys(flat[plan.by].values.tolist()))
    if flat[plan.by].dtype.kind in "iuf":
        values = sorted(values)
    labels = xr.Dataset(coords={plan.by: values})
    listed = at_most(MAX_CURVES, "curves", each_part(labels, [plan.by]), info)
    return [
        (label, np.flatnonzero(flat[plan.by].values == part[plan.by].item()))
        for label, part in listed
    ]


def _panel(
    axes: Axes, flat: xr.Dataset, plan: _Plan, curves: Sequence[tuple[str, np.ndarray]]
) -> None:
    """Draw the 50 % points with their intervals, and the law `drawn` of each group."""
    moved = side_by_side(axes, len(curves))
    for number, (label, groups) in enumerate(curves):
        part = flat.isel(group=groups)
        x, scale = part["x"].values, part["scale"].values
        low, best, high = (part[f"threshold{end}"].values / scale for end in ("_low", "", "_high"))
        law, on_line = part["drawn"].values / scale, part["on_line"].values
        style: dict[str, Any] = {"color": COLOURS[number], **moved[number]}
        spread = np.stack([best - low, high - best])
        for chosen, fill, name in ((on_line, COLOURS[number], label), (~on_line, "white", None)):
            axes.errorbar(
                x[chosen], best[chosen], spread[:, chosen], ls="none", ms=4, lw=1.0,
                mfc=fill, label=name, **style,
            )  # fmt: skip
        order = np.flatnonzero(on_line)[np.argsort(x[on_line], kind="stable")]
        if order.size > 1:
            axes.plot(x[order], law[order], "-", color=COLOURS[number], lw=1.0, alpha=0.7)
        single = ~on_line if order.size > 1 else np.ones(x.size, dtype=bool)
        axes.plot(x[single], law[single], ls="none", ms=4, mew=0.8, **{**style, "marker": "x"})


def _name_hollow(
    axes: Axes, flat: xr.Dataset, plan: _Plan, curves: Sequence[tuple[str, np.ndarray]]
) -> None:
    """Write next to hollow marks what is different about their groups."""
    marked = flat["threshold"].values / flat["scale"].values
    for number, (_, groups) in enumerate(curves):
        for at in groups[~flat["on_line"].values[groups]]:
            text = ", ".join(shown_value(flat[dim].values[at].item()) for dim in plan.others)
            axes.annotate(
                text, (flat["x"].values[at], marked[at]), (6, 0), textcoords="offset points",
                va="center", fontsize=6, color=COLOURS[number],
            )  # fmt: skip


def _positions(flat: xr.Dataset, plan: _Plan) -> np.ndarray:
    """Give the positions of groups across: values, or the numbers of texts in their order."""
    if plan.across is None:
        return np.zeros(flat.sizes["group"])
    values = flat[plan.across].values
    if values.dtype.kind not in "iuf":
        known = list(dict.fromkeys(values.tolist()))
        values = np.array([known.index(value) for value in values.tolist()])
    return values.astype(float)


def _on_line(part: xr.Dataset, plan: _Plan) -> np.ndarray:
    """Mark the groups of a curve that its line joins: at each position the commonest of others."""
    x = part["x"].values.tolist()
    others = list(zip(*(part[dim].values.tolist() for dim in plan.others), strict=True))
    others = others or [()] * len(x)
    common = Counter(others)
    chosen = {
        at: max(
            (index for index in range(len(x)) if x[index] == at),
            key=lambda index: common[others[index]],
        )
        for at in x
    }
    return np.isin(np.arange(len(x)), list(chosen.values()))


def _share_limits(panels: Sequence[Axes], flat: xr.Dataset, plan: _Plan) -> None:
    """Give all panels the same limits and ticks."""
    x, scale = flat["x"].values, flat["scale"].values
    places, first = np.unique(x, return_index=True)
    is_numeric = plan.across is not None and flat[plan.across].dtype.kind in "iuf"
    ends = [(flat[f"threshold{end}"].values / scale) for end in ("_low", "_high")]
    heights = np.concatenate([*ends, flat["law"].values / scale])
    heights = heights[np.isfinite(heights) & (heights > 0)]
    low, high = heights.min() / MARGIN, heights.max() * MARGIN
    for axes in panels:
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        tick_magnitudes(axes.yaxis, low, high)
        if is_numeric and (x > 0).all():
            axes.set_xscale("log")
            axes.set_xlim(x.min() / 1.25, x.max() * 1.25)
        if plan.across is not None:
            labels = [shown_value(flat[plan.across].values[at].item()) for at in first]
            tick_at(axes.xaxis, places.tolist(), labels, words=not is_numeric)


def _terms(fitted: xr.Dataset) -> str:
    """Write the coefficients with their intervals."""
    parts = []
    for name in fitted["term"].values.tolist()[1:]:
        at = fitted.sel(term=name)
        ends = {"value": "", "low": "_low", "high": "_high"}
        row = {key: float(at[f"exponent{end}"]) for key, end in ends.items()}
        parts.append(f"{term_name(name)} {term_value({'term': name, **row})}")
    return "; ".join(parts)
