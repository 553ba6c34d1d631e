"""What a landscape's store tells besides loss and descent vector: where descents on it lead."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ..store import StoreError, StoreInfo, load_results
from ..sweeps import Grid, Point
from ..sweeps.sweep import Basins
from ..tasks.basins import BASINS
from ..tasks.experiments.landscape import draw_landscape, follow
from ..tasks.experiments.recovery import errors
from ..tasks.generators import weights_digests
from ..tasks.instance import mirror_ratio_of
from ..tasks.machine import one_blas_thread
from .prepare import recorded_weights
from .rows import indices, place_of, plain, plain_values

TASK = "landscape"
ALONG, ACROSS = "plane.along", "plane.across"
STARTS = 11  # odd, for negation sends opposite ones on one way
RIM = 0.92  # of the plane's half-lengths, where descents start
RESOLUTION = 0.005  # of the plane's longer side, between iterates that are kept
MAX_STEPS = 2000
AT_TARGET = 0.25  # relative latent error that counts as having arrived, noise or not
AT_MIRROR = Basins().radius  # distance from the mirror that does, in its length


def is_landscape(info: StoreInfo) -> bool:
    """Say whether a store holds a landscape."""
    return info.sweep.task == TASK


def trajectories_of(info: StoreInfo) -> xr.Dataset:
    """Descend from the rim of every plane of a store, by the draws of its first trial.

    Returns:
        Over (…other axes…, "start", "place") `along`, `across` (NaN where negation moved the
        iterate, and behind the last), `off_plane`; over (…other axes…, "start") `steps`,
        `latent_error` and `end`, one of "target", "mirror", "elsewhere"; over the other axes
        `mirror_ratio`, NaN where there is no mirror.
    """
    grid = Grid(info.sweep)
    check_weights(info, grid)
    others = [name for name in grid.dims if name not in (ALONG, ACROSS)]
    shape = tuple(len(grid.sweep.axes[name]) for name in others)
    points = {index: point for index in np.ndindex(shape) if (point := _first_point(grid, index))}
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


def check_weights(info: StoreInfo, grid: Grid) -> None:
    """Refuse to draw anew from weights that are not those of the store's trials.

    Raises:
        StoreError: a file is missing, or another one.
    """
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


def rim(info: StoreInfo) -> np.ndarray:
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
    return grid.point(
        tuple(int(next(first if name in (ALONG, ACROSS) else rest)) for name in grid.dims)
    )


class _Descent(NamedTuple):
    """A descent as it is stored: `places` are along, across and the distance from the plane."""

    places: np.ndarray
    steps: int
    latent_error: float
    end: str


def _descents(info: StoreInfo, point: Point) -> list[_Descent]:
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
    if measured["latent_error"] < AT_TARGET:
        return BASINS[0]
    is_mirror = measured["mirror_error"] < AT_MIRROR * mirror_ratio_of(point)
    return BASINS[1] if is_mirror else BASINS[2]


def trajectory_rows(found: xr.Dataset) -> list[dict[str, Any]]:
    """Give descents as rows, one a plane: how many ended where, after how many steps."""
    rows = []
    for index in indices(found["mirror_ratio"]):
        plane = found.isel(index)
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


LONG_NAMES = {
    "along": ("coordinate along the true code", "‖x*‖"),
    "across": ("coordinate along the plane's other axis", "‖x*‖"),
    "off_plane": ("distance from the plane", "‖x*‖"),
    "steps": ("steps taken", "steps"),
    "latent_error": ("relative latent error ‖x̂ − x*‖/‖x*‖ at the end", "1"),
    "end": ("where the descent ended", "1"),
    "mirror_ratio": ("length ρ of the mirror point relative to x*", "1"),
}
