"""Trajectories: where descents on the planes of a landscape lead."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...sweeps import Grid
from ...tasks.point import Point
from .base import Analysis, Request
from .basin import Basins

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.table import Table

    from ...store import StoreInfo
    from ..canvas import Look

TASK = "landscape"
ALONG, ACROSS = "plane.along", "plane.across"
STARTS = 11  # odd, for negation sends opposite ones on one way
RIM = 0.92  # of the plane's half-lengths, where descents start
RESOLUTION = 0.005  # of the plane's longer side, between iterates that are kept
MAX_STEPS = 2000
AT_TARGET = 0.25  # relative latent error that counts as having arrived, noise or not
AT_MIRROR = Basins().radius  # distance from the mirror that does, in its length
LONG_NAMES = {
    "along": ("coordinate along the true code", "‖x*‖"),
    "across": ("coordinate along the plane's other axis", "‖x*‖"),
    "off_plane": ("distance from the plane", "‖x*‖"),
    "steps": ("steps taken", "steps"),
    "latent_error": ("relative latent error ‖x̂ − x*‖/‖x*‖ at the end", "1"),
    "end": ("where the descent ended", "1"),
    "mirror_ratio": ("length ρ of the mirror point relative to x*", "1"),
}


class Trajectory(Analysis):
    """Descents from the rim of every plane, by the draws of the store's first trial.

    They are made of the sweep alone, and cost as much as trials do.
    """

    name = "trajectory"
    json_name = "trajectories"
    reads_trials = False
    rank = 4
    no_log = "a plane has negative coordinates"

    def names(self) -> Iterable[str]:
        """Name what is kept of a descent."""
        return {*LONG_NAMES, "start", "place"}

    def asked(self, info: "StoreInfo", along: str | None) -> dict[str, Any] | None:
        """Any landscape has them."""
        return {} if info.sweep.task == TASK else None

    def compute(self, request: Request) -> "xr.Dataset":
        """Descend from the rim of every plane.

        Returns:
            Over (…other axes…, "start", "place") `along`, `across` (NaN where negation moved the
            iterate, and after the last), `off_plane`; over (…other axes…, "start") `steps`,
            `latent_error` and `end`, one of "target", "mirror", "elsewhere"; over the other axes
            `mirror_ratio`, NaN where there is no mirror.
        """
        import xarray as xr

        from ...store import load_results
        from ...tasks.instance import mirror_ratio_of
        from ...tasks.machine import one_blas_thread

        info = request.info
        grid = Grid(info.sweep)
        check_weights(info, grid)
        others = [name for name in grid.dims if name not in (ALONG, ACROSS)]
        shape = tuple(len(grid.sweep.axes[name]) for name in others)
        points = {
            index: point for index in np.ndindex(shape) if (point := _first_point(grid, index))
        }
        # A product differs in bits between one BLAS thread and two, and so would a descent.
        with one_blas_thread():
            found = {index: _descents(info, point) for index, point in points.items()}
        longest = max((len(each.places) for list_ in found.values() for each in list_), default=1)
        places = np.full((*shape, STARTS, longest, 3), np.nan)
        ends = np.full((*shape, STARTS), "", dtype=object)
        numbers = np.full((*shape, STARTS, 2), np.nan)
        ratios = np.full(shape, np.nan)
        for index, descents in found.items():
            ratios[index] = mirror_ratio_of(points[index])
            for start, one in enumerate(descents):
                places[index][start, : len(one.places)] = one.places
                ends[index][start] = one.end
                numbers[index][start] = one.steps, one.latent_error
        over = [*others, "start"]
        data = {
            "along": ([*over, "place"], places[..., 0]),
            "across": ([*over, "place"], places[..., 1]),
            "off_plane": ([*over, "place"], places[..., 2]),
            "steps": (over, numbers[..., 0]),
            "latent_error": (over, numbers[..., 1]),
            "end": (over, np.array(ends.tolist(), dtype=np.dtypes.StringDType())),
            "mirror_ratio": (others, ratios),
        }
        known = load_results(info.path, [info.variables[0]]).coords
        told = {"trial": 0, "most_steps": MAX_STEPS, "at_target": AT_TARGET, "at_mirror": AT_MIRROR}
        dataset = xr.Dataset(data, coords={name: known[name] for name in others}, attrs=told)
        for name, (long_name, units) in LONG_NAMES.items():
            dataset[name].attrs = {"long_name": long_name, "units": units}
        return dataset

    def records(self, dataset: "xr.Dataset") -> list[dict[str, Any]]:
        """Give descents as rows, one a plane: how many ended where, after how many steps."""
        from ...tasks.basins import BASINS
        from ..rows import indices, place_of, plain, plain_values

        rows = []
        for index in indices(dataset["mirror_ratio"]):
            plane = dataset.isel(index)
            ends = plane["end"].values.tolist()
            rows.append(
                {
                    **place_of(plane, index),
                    **plain_values(plane, ("mirror_ratio",)),
                    "ends": {basin: ends.count(basin) for basin in BASINS},
                    "median_steps": plain(float(np.median(plane["steps"].values))),
                }
            )
        return rows

    def table(self, dataset: "xr.Dataset") -> "Table":
        """One row a plane: where descents from its rim ended."""
        from ...sweeps.labels import value_label
        from ...tasks.basins import BASINS
        from ..table_parts import before, number, table_of

        rows = self.records(dataset)
        axes = before(rows[0], "mirror_ratio")
        table = table_of(*axes, "ρ", "at x*", "at the mirror", "elsewhere", "median steps")
        table.title = "descents from the rim of the plane; the mirror is −ρ x*"
        table.title_justify = "left"
        for row in rows:
            table.add_row(
                *(value_label(row[name]) for name in axes),
                number(row["mirror_ratio"], "{:.3f}"),
                *(str(row["ends"][basin]) for basin in BASINS),
                number(row["median_steps"], "{:.0f}"),
            )
        return table

    def shows(self, info: "StoreInfo") -> bool:
        """Any picture of a landscape shows them."""
        return self.asked(info, None) is not None

    def draw(self, request: Request, dataset: "xr.Dataset", look: "Look") -> "Figure":
        """Draw the loss over the plane, and the descents."""
        from ..landscape_figures import draw_landscapes

        return draw_landscapes(request, dataset, look)


def check_weights(info: "StoreInfo", grid: Grid) -> None:
    """Refuse to draw again from weights that are not those of the store's trials.

    Raises:
        StoreError: a file is missing, or another one.
    """
    from ...store import StoreError
    from ...tasks.generators import weights_digests
    from ..prepare import recorded_weights

    known = recorded_weights(info)
    try:
        found = weights_digests(grid)
    except ValueError as error:
        raise StoreError(f"{info.path}: its descents cannot be drawn: {error}") from None
    for path, digest in found.items():
        if known.get(path, digest) != digest:
            raise StoreError(
                f"{info.path}: its descents cannot be drawn: {path!r} is not the file that its "
                "trials used; put that one back."
            )


def rim(info: "StoreInfo") -> np.ndarray:
    """Places on the ellipse that nearly fills a store's plane, shape (starts, 2)."""
    lows, highs = (
        np.array([pick(info.sweep.axes[name]) for name in (ALONG, ACROSS)], dtype=float)
        for pick in (min, max)
    )
    # A quarter of a step off the axis, so that no descent starts on the line through 0 and x*.
    angles = 2 * np.pi * (np.arange(STARTS) + 0.25) / STARTS
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    return np.asarray((lows + highs) / 2 + RIM * (highs - lows) / 2 * circle)


def _first_point(grid: Grid, index: tuple[int, ...]) -> Point | None:
    """Give a point of a plane that is not left out; None if all of them are."""
    rest = iter(index)
    box = tuple(slice(None) if name in (ALONG, ACROSS) else next(rest) for name in grid.dims)
    free = np.argwhere(~grid.excluded[box])
    if not len(free):
        return None
    first, rest = iter(free[0]), iter(index)
    at = tuple(int(next(first if name in (ALONG, ACROSS) else rest)) for name in grid.dims)
    point: Point = grid.point(at)
    return point


class _Descent(NamedTuple):
    """A descent as it is stored: `places` are along, across and the distance from the plane."""

    places: np.ndarray
    steps: int
    latent_error: float
    end: str


def _descents(info: "StoreInfo", point: Point) -> list[_Descent]:
    from ...tasks.experiments.landscape import draw_landscape, follow
    from ...tasks.experiments.recovery import errors

    sweep = info.sweep
    landscape = draw_landscape(point, 0, sweep.seed, sweep.paired)
    span = max(max(sweep.axes[name]) - min(sweep.axes[name]) for name in (ALONG, ACROSS))
    budget = min(point.solver.max_steps, MAX_STEPS)
    descents = []
    with np.errstate(over="ignore", invalid="ignore"):
        for start in rim(info):
            path = follow(landscape, start, budget, RESOLUTION * span)
            measured = errors(point, landscape.instance, path.end.code)
            places = np.column_stack([path.places, path.off_plane])
            error = measured["latent_error"]
            descents.append(_Descent(places, path.steps, error, _end(point, measured)))
    return descents


def _end(point: Point, measured: dict[str, float]) -> str:
    """Name the basin of a last iterate."""
    from ...tasks.basins import BASINS
    from ...tasks.instance import mirror_ratio_of

    if measured["latent_error"] < AT_TARGET:
        return BASINS[0]
    is_mirror = measured["mirror_error"] < AT_MIRROR * mirror_ratio_of(point)
    return BASINS[1] if is_mirror else BASINS[2]
