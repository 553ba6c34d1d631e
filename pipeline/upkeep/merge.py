"""Merge stores of one experiment, computed on different machines or of different grids."""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ...store import (
    Listener,
    StoreError,
    StoreInfo,
    WrongStoreError,
    analysis_groups,
    convert_stores,
    exclusive,
    is_vacant,
    merge_stores,
    read_analyses,
    read_info,
)
from ...store.moving import OWN_ATTRIBUTES
from ...sweeps import Grid, UserError, differences
from ...sweeps.joining import joined_over_values, joined_placed
from ...sweeps.sharing import check_reading
from ...tasks import task_kind
from ...tasks.environment import environment, major_minor, needs_of
from ..run.placed import check_placeable
from ..run.prepare import check_same_variables
from ..run.provenance import TIMES, compared, named
from ..run.request import check_coordinates
from ..show.shown import Shown
from ..status import Counts, counts_of

StoreLayout = Literal["placed", "grid"]
LAYOUTS: tuple[StoreLayout, ...] = get_args(StoreLayout)


class MergeError(UserError):
    """What is asked for cannot be merged: wrong usage."""

    exit_status = 2


@dataclass(frozen=True, repr=False)
class MergeSummary(Shown):
    """What a merge made.

    Attributes:
        store: path of the new store.
        trials: numbers of its trials by status.
        taken: the merged stores, each with the number of finished trials that come from it.
        identical: number of trials that are done in several stores, with the same results.
        mixed: how the environments of the stores differ.
        not_carried: analyses of the stores, which the new store does not have.
    """

    store: str
    trials: Counts
    taken: dict[str, int]
    identical: int
    mixed: list[str]
    not_carried: list[str]

    def rows(self) -> Mapping[str, str]:
        """Give the figures as text."""
        from ..show.check_tables import merge_rows

        return merge_rows(self)


def merge_paths(
    paths: Sequence[Path],
    out: Path,
    *,
    layout: StoreLayout | None = None,
    allow_mixed: bool = False,
    listen: Listener = lambda done, total: None,
) -> MergeSummary:
    """Make a new store with the trials of several stores of one experiment.

    Args:
        paths: the stores, at least two, or one if a layout is given. Their texts and settings of
            analyses are those of the first one.
        out: path of the new store, which must not exist.
        layout: whether the trials of the new store are `placed` or lie on a `grid` of values; that
            of the stores if None.
        allow_mixed: mix results of other machines, libraries or kernels; the store records it.
        listen: called with the number of blocks that are merged, and of all blocks.

    Raises:
        MergeError: too few stores, one of them twice, a place that cannot be used, or stores of
            both layouts and none is given.
        SweepError: the trials cannot be placed.
        WrongStoreError: a path is no store, the stores are of different experiments, or they hold
            different results of one trial.
        StoreError: a store is being written or damaged, or the environments differ.
    """
    _check_paths(paths, out, 2 if layout is None else 1)
    infos = [read_info(path) for path in paths]
    first = infos[0]
    for info in infos[1:]:
        _check_same_experiment(first, info)
    placed = _is_placed(infos, layout)
    kind = task_kind(first.sweep.task)
    for info in infos:
        check_same_variables(info, kind)
        check_coordinates(info, "Leave it out")
    by_blocks = not placed and not any(info.layout.is_placed for info in infos)
    sweeps = [info.sweep for info in infos]
    # Of placed trials only the ends: their values are known when they are read.
    grid = Grid(joined_placed(sweeps) if placed else joined_over_values((s, (), 1) for s in sweeps))
    keys = [*environment(needs_of(kind, grid))]
    mixed = _differences(infos, keys, allow_mixed)
    attributes = _attributes(infos, mixed)

    def check(merged: Grid) -> None:
        check_reading(merged)
        check_placeable(merged, kind)

    with exclusive(out):
        if by_blocks:
            check(grid)
            merged = merge_stores(infos, out, grid, kind.variables, attributes, listen)
        else:
            merged = convert_stores(
                infos, out, kind.variables, attributes, placed=placed, check=check, listen=listen
            )
    return MergeSummary(
        store=str(out),
        trials=counts_of(merged.counts),
        taken=dict(zip(map(str, paths), merged.taken, strict=True)),
        identical=merged.identical,
        mixed=[
            f"{named(key)}: {value} in {info.path}"
            for info, different in zip(infos, mixed, strict=True)
            for key, value in different.items()
        ],
        not_carried=sorted({name for info in infos for name in _own_analyses(info)}),
    )


def _is_placed(infos: Sequence[StoreInfo], layout: StoreLayout | None) -> bool:
    """Say whether trials are placed in the new store.

    Raises:
        MergeError: they are in some of the stores only, and no layout is given.
    """
    if layout is not None:
        return layout == "placed"
    first = infos[0]
    for info in infos:
        if info.layout.is_placed != first.layout.is_placed:
            placed, grid = (info, first) if info.layout.is_placed else (first, info)
            raise MergeError(
                f"merge: {placed.path} holds placed trials, and {grid.path} values of a grid. Give "
                "--as placed or --as grid (in Python layout=…) for the new store."
            )
    return first.layout.is_placed


def _check_paths(paths: Sequence[Path], out: Path, least: int) -> None:
    """Refuse paths that cannot be merged.

    Raises:
        MergeError: naming the path.
    """
    if len(paths) < least:
        one = " With --as placed or --as grid, one is enough." if least > 1 else ""
        raise MergeError(
            f"merge: give at least {'two stores' if least > 1 else 'one store'}, and then the path "
            f"of the new store.{one}"
        )
    known: dict[Path, Path] = {}
    for path in paths:
        if (real := path.resolve()) in known:
            raise MergeError(f"merge: {known[real]} and {path} are the same store; give it once.")
        known[real] = path
    target = out.resolve()
    if target in known:
        raise MergeError(f"merge: {out} is one of the stores; name a new store as the last path.")
    for real, path in known.items():
        if real in target.parents:
            raise MergeError(f"merge: {out} lies in {path}; choose a path outside the stores.")
    if not is_vacant(out):
        raise MergeError(f"merge: {out} exists; name a new store as the last path.")


def _check_same_experiment(first: StoreInfo, other: StoreInfo) -> None:
    """Refuse stores of different experiments.

    Raises:
        WrongStoreError: the message names the difference.
    """
    if different := differences(first.sweep, other.sweep):
        raise WrongStoreError(
            f"{other.path} holds another experiment than {first.path}: "
            f"{'; '.join(different[:3])}. Only stores of one experiment can be merged."
        )


def _differences(
    infos: Sequence[StoreInfo], keys: Sequence[str], allow_mixed: bool
) -> list[dict[str, Any]]:
    """Compare the environments in which stores were computed with that of the first one.

    Args:
        infos: the stores.
        keys: the attributes that describe an environment.
        allow_mixed: give the differences instead of refusing them.

    Returns:
        For each store, what differs from the first one, and its value.

    Raises:
        StoreError: something differs and `allow_mixed` is False; the message names it.
    """
    first, all_mixed = infos[0], []
    for info in infos:
        present = {key: info.attributes[key] for key in keys if key in info.attributes}
        if "python_version" in present:
            versions = str(present["python_version"]).split("; ")
            present["python_version"] = "; ".join(map(major_minor, versions))
        others = compared(first.attributes, present, _weights(info))
        if others and not allow_mixed:
            _, known, other = others[0]
            raise StoreError(
                f"{info.path}: {others[0].what}: '{other}' there and '{known}' in {first.path}; "
                "results may differ. Leave one of them out, or give --allow-mixed, which mixes the "
                "results and records it."
            )
        all_mixed.append({difference.key: difference.here for difference in others})
    return all_mixed


def _weights(info: StoreInfo) -> dict[str, str]:
    weights: dict[str, str] = json.loads(info.attributes.get("weights_sha256", "{}"))
    return weights


def _attributes(infos: Sequence[StoreInfo], mixed: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join the attributes of stores that say how their trials were computed.

    Of attributes that several stores have, the first one's value is kept.
    """
    joined: dict[str, Any] = {}
    weights: dict[str, str] = {}
    history: list[dict[str, Any]] = []
    recorded: list[dict[str, Any]] = []
    origins: list[dict[str, Any]] = []
    for info, different in zip(infos, mixed, strict=True):
        own = {k: v for k, v in info.attributes.items() if k not in OWN_ATTRIBUTES}
        joined = {**own, **joined}
        weights = {**_weights(info), **weights}
        history = _with_entries(history, json.loads(info.attributes.get("history", "[]")))
        earlier = json.loads(info.attributes.get("mixed", "[]"))
        origins += json.loads(info.attributes.get("merged_from", "[]")) or [_origin(info)]
        recorded += [entry for entry in (*earlier, different) if entry and entry not in recorded]
    joined["merged_from"] = json.dumps(origins)
    joined["created"] = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    if weights:
        joined["weights_sha256"] = json.dumps(weights)
    if history:
        joined["history"] = json.dumps(history)
    if recorded:
        joined["mixed"] = json.dumps(recorded)
    return joined


def _origin(info: StoreInfo) -> dict[str, Any]:
    """Describe a store that is merged."""
    known = {key: info.attributes.get(key, "unknown") for key in ("revision", "host", "created")}
    return {"store": str(info.path), **known}


def _with_entries(
    history: list[dict[str, Any]], entries: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Add the entries of a history; those that differ only in their times share one."""
    for entry in entries:
        content = {key: value for key, value in entry.items() if key not in TIMES}
        for known in history:
            if {key: value for key, value in known.items() if key not in TIMES} == content:
                known["first"] = min(known["first"], entry["first"])
                known["latest"] = max(known["latest"], entry["latest"])
                known["runs"] += entry["runs"]
                break
        else:
            history.append(dict(entry))
    return history


def _own_analyses(info: StoreInfo) -> list[str]:
    return [*read_analyses(info.path, analysis_groups(info.path))]
