"""Sweeps in Python programs: what they take for lists and settings, and that they do not change."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from helpers import tiny_sweep

from genprior.sweeps import Sweep, SweepError, UserError


@pytest.mark.parametrize(
    "changes",
    [
        {"k": np.array([2, 4, 6]), "m": range(3, 10, 2)},
        {"k": (2, 4, 6), "m": np.arange(3, 10, 2)},
        {"k": [np.int64(2), np.int16(4), 6], "m": (np.float64(3.0), 5, 7, 9)},
    ],
)
def test_arrays_and_ranges_are_lists(changes: dict[str, Any]) -> None:
    swept = tiny_sweep(axes=changes)
    assert swept.as_json() == tiny_sweep().as_json()
    assert swept.hash == tiny_sweep().hash


def test_a_range_without_end_is_refused_at_once() -> None:
    with pytest.raises(SweepError):
        tiny_sweep(axes={"k": range(10**15), "m": [3]})


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ("k=4", ["k=4"]),
        ({"k": 4}, ["k=4"]),
        ({"k": [2, 4], "m": "3:9:2", "trials": np.int64(7)}, ["k=2,4", "m=3:9:2", "trials=7"]),
        ({"k": range(2, 5)}, ["k=2,3,4"]),
        ({"noise.sigma": 1e-7, "fit.along": None}, ["noise.sigma=1e-7", "fit.along=default"]),
        ({"widths": [12]}, ["widths=12"]),
        (("k=4", "m=3"), ["k=4", "m=3"]),
        ((each for each in ["k=4"]), ["k=4"]),
    ],
)
def test_settings_may_be_a_text_or_a_dictionary(settings: Any, same: list[str]) -> None:
    assert tiny_sweep().override(settings).as_json() == tiny_sweep().override(same).as_json()


@pytest.mark.parametrize(
    "settings", [None, 5, [4], b"k=4", [None], {"k": object()}, {4: 4}, [b"k"]]
)
def test_other_settings_are_refused_in_one_line(settings: Any) -> None:
    with pytest.raises(UserError) as refused:
        tiny_sweep().override(settings)
    assert "\n" not in str(refused.value)


def test_a_sweep_does_not_change_in_place() -> None:
    sweep = tiny_sweep()
    before = sweep.hash
    changes = [
        lambda: sweep.axes.update(k=[8]),
        lambda: sweep.axes["k"].append(8),
        lambda: sweep.axes["k"].__setitem__(0, 3),
        lambda: sweep.axes.pop("k"),
        lambda: sweep.parameters.__setitem__("depth", 2),
        lambda: setattr(sweep, "trials", 5),
        lambda: setattr(sweep, "axes", {}),
    ]
    for change in changes:
        with pytest.raises(UserError, match="override"):
            change()
    assert (sweep.hash, sweep) == (before, tiny_sweep())
    assert sweep.axes == {"k": [2, 4, 6], "m": [3, 5, 7, 9]}


def test_a_sweep_is_copied_pickled_and_a_key() -> None:
    sweep, other = tiny_sweep(), tiny_sweep(axes={"m": [3, 5, 7, 9], "k": [2, 4, 6]})
    assert sweep == other
    assert hash(sweep) == hash(other)
    assert {sweep: 1}[other] == 1
    for copied in (copy.copy(sweep), copy.deepcopy(sweep), pickle.loads(pickle.dumps(sweep))):
        assert copied == sweep
        with pytest.raises(UserError):
            copied.axes["k"].append(1)


def test_a_sweep_that_is_made_directly_is_refused_in_one_line() -> None:
    with pytest.raises(SweepError, match="'trials'") as refused:
        Sweep(trials=-3)
    assert "\n" not in str(refused.value)
    with pytest.raises(SweepError, match="'trails'"):
        Sweep(trails=3)
    with pytest.raises(SweepError, match="tables"):
        Sweep.parse(None)


def test_a_sweep_shows_itself_in_one_line_and_as_a_table() -> None:
    sweep = tiny_sweep(name="<b>", axes={"k": list(range(2, 60)), "m": [3, 5]})
    assert repr(sweep) == "<Sweep <b>: scripted over k (58) × m (2), trials of each point: 4>"
    assert str(sweep) == repr(sweep)
    table = sweep._repr_html_()
    assert "&lt;b&gt;" in table
    assert "…, 59 (58 values)" in table
    assert len(table) < 5000
