"""What a landscape's store tells besides loss and descent vector: where descents on it lead."""

from typing import Any

import numpy as np
import xarray as xr

from ..store import StoreInfo, load_results
from ..sweeps import Grid, Point
from ..tasks.basins import BASINS
from ..tasks.instance import mirror_ratio_of
from ..tasks.planes import Trajectory, draw_landscape, follow
from ..tasks.recovery import errors
from .rows import indices, place_of, plain, plain_values

TRAJECTORY = "trajectory"
TASK = "landscape"
ALONG, ACROSS = "plane.along", "plane.across"
STARTS = 12
RIM = 0.92  # of the plane's half-lengths, where descents start
RESOLUTION = 0.005  # of the plane's longer side, between iterates that are kept
MAX_STEPS = 2000
AT_TARGET = 0.25  # relative latent error that counts as having arrived, noise or not
AT_MIRROR = 0.75  # distance from the mirror that does, in its length


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
    grid, sweep = Grid(info.sweep), info.sweep
    others = [name for name in grid.dims if name not in (ALONG, ACROSS)]
    shape = tuple(len(sweep.axes[name]) for name in others)
    found: dict[tuple[int, ...], list[Trajectory]] = {}
    points: dict[tuple[int, ...], Point] = {}
    for index in np.ndindex(shape):
        place = tuple(index[others.index(name)] if name in others else 0 for name in grid.dims)
        if not grid.excluded[place]:
            points[index] = grid.point(place)
            found[index] = _descents(info, points[index])
    longest = max((len(each.places) for list_ in found.values() for each in list_), default=1)
    places = np.full((*shape, STARTS, longest, 3), np.nan)
    ends = np.full((*shape, STARTS), "", dtype=object)
    numbers = np.full((*shape, STARTS, 2), np.nan)
    for index, trajectories in found.items():
        for start, one in enumerate(trajectories):
            places[index][start, : len(one.places)] = np.column_stack([one.places, one.off_plane])
            error, ends[index][start] = _end(info, points[index], one)
            numbers[index][start] = one.steps, error
    ratios = np.full(shape, np.nan)
    for index, point in points.items():
        ratios[index] = mirror_ratio_of(point)
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
    dataset = xr.Dataset(data, coords={name: known[name] for name in others})
    for name, (long_name, units) in LONG_NAMES.items():
        dataset[name].attrs = {"long_name": long_name, "units": units}
    return dataset


def rim(info: StoreInfo) -> np.ndarray:
    """Places on the ellipse that nearly fills a store's plane, shape (starts, 2)."""
    lows, highs = (
        np.array([pick(info.sweep.axes[name]) for name in (ALONG, ACROSS)], dtype=float)
        for pick in (min, max)
    )
    # Half a turn off the axes, so that no descent starts on the line through 0 and x*.
    angles = 2 * np.pi * (np.arange(STARTS) + 0.5) / STARTS
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    return np.asarray((lows + highs) / 2 + RIM * (highs - lows) / 2 * circle)


def _descents(info: StoreInfo, point: Point) -> list[Trajectory]:
    sweep = info.sweep
    landscape = draw_landscape(point, 0, sweep.seed, sweep.paired)
    span = max(max(sweep.axes[name]) - min(sweep.axes[name]) for name in (ALONG, ACROSS))
    budget = min(point.solver.max_steps, MAX_STEPS)
    with np.errstate(over="ignore", invalid="ignore"):
        return [follow(landscape, start, budget, RESOLUTION * span) for start in rim(info)]


def _end(info: StoreInfo, point: Point, trajectory: Trajectory) -> tuple[float, str]:
    """Give the relative latent error of the last iterate, and where that is."""
    instance = draw_landscape(point, 0, info.sweep.seed, info.sweep.paired).instance
    measured = errors(point, instance, trajectory.end.code)
    ratio = mirror_ratio_of(point)
    if measured["latent_error"] < AT_TARGET:
        return measured["latent_error"], BASINS[0]
    is_mirror = measured["mirror_error"] < AT_MIRROR * ratio
    return measured["latent_error"], BASINS[1] if is_mirror else BASINS[2]


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
                **{basin: ends.count(basin) for basin in BASINS},
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
