"""The picture of a scaling law: which groups are where, and which lines are laws."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import Scripted, tiny_sweep
from matplotlib.axes import Axes

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.show.canvas import Look
from genprior.pipeline.show.scaling_figures import draw_scaling
from genprior.store import read_info
from genprior.tasks import EXPERIMENTS
from genprior.tasks.statistics.outcomes import EXCLUDED

M = [2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 29, 38]


class Threshold(Scripted):
    """Half of the trials succeed at m = k · 2^depth / 2."""

    def run(self, point: Any, draws: Any) -> dict[str, Any]:
        found = super().run(point, draws)
        chance = 1 / (1 + (point.m / (point.k * 2 ** (point.depth - 1))) ** -5)
        return {**found, "success": int(found["latent_error"] < chance)}


def fitted(folder: Path, **changes: Any) -> tuple[Path, xr.Dataset]:
    (folder / "calls").mkdir()
    written = {
        "axes": {"k": [2, 3, 4, 6], "depth": [1, 2], "n": [20, 40], "m": M},
        "parameters": {},
        "dependent": {
            "widths": {"by": "depth", "table": {"1": [1], "2": [1, 1]}, "of": "n"},
        },
        "exclude": ["n == 40 and k != 4", "n == 40 and depth == 1"],
        "scaling": {"terms": ["k", "depth"], "shapes": ["k", "k d log n"]},
        "blocks": {"trials": 800},
        "trials": 20,
        **changes,
    }
    path = folder / "star.zarr"
    run_sweep(tiny_sweep(**written), path, kind=Threshold(str(folder / "calls")))
    return path, gp.fit(path)["scaling"]


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, xr.Dataset]:
    """Nine groups: two depths of four k at n = 20, and one at n = 40."""
    return fitted(tmp_path_factory.mktemp("star"))


def lines(axes: Axes) -> list[np.ndarray]:
    """Give the points of the lines that join groups."""
    drawn = [np.column_stack(line.get_data()) for line in axes.lines if line.get_ls() == "-"]
    return [np.asarray(points, dtype=float) for points in drawn]


def test_points_are_over_k_and_every_panel_has_its_law(star: tuple[Path, xr.Dataset]) -> None:
    path, law = star
    panels = draw_scaling(read_info(path), law, Look()).axes
    assert [axes.get_title().split(":")[0] for axes in panels] == [
        "law with all terms", "k", "k d log n"
    ]  # fmt: skip
    assert panels[0].get_ylabel() == "$m/k$ at 50 % success"
    k = law["k"].values
    for number, depth in enumerate((1, 2)):
        own = law.sel(depth=depth, n=20)
        for axes, expected in zip(
            panels,
            [own["law"], *(own["shape_law"].sel(theory=name) for name in law["theory"].values)],
            strict=True,
        ):
            drawn = lines(axes)
            assert len(drawn) == 2
            np.testing.assert_allclose(drawn[number], np.column_stack([k, expected / k]))


def test_groups_beside_the_lines_are_hollow(star: tuple[Path, xr.Dataset]) -> None:
    path, law = star
    axes = draw_scaling(read_info(path), law, Look()).axes[0]
    points = {"white": [], "filled": []}
    for line in axes.lines:
        if line.get_marker() not in ("", "None", None, "x", "|") and line.get_ls() == "None":
            kind = "white" if line.get_markerfacecolor() == "white" else "filled"
            points[kind].append(np.column_stack(line.get_data()))
    other = float(law["threshold"].sel(depth=2, n=40, k=4)) / 4
    np.testing.assert_allclose(np.concatenate(points["white"]), [[4, other]])
    assert len(np.concatenate(points["filled"])) == 8
    assert int((law["left_out"] == EXCLUDED).sum()) == 7


@pytest.mark.slow
def test_a_law_without_k_has_its_own_axis_across(tmp_path: Path) -> None:
    changes = {"axes": {"depth": [1, 2, 3], "m": M}, "parameters": {"k": 2, "n": 20}}
    table = {"1": [20], "2": [20, 20], "3": [20, 20, 20]}
    path, law = fitted(
        tmp_path, **changes, dependent={"widths": {"by": "depth", "table": table}},
        exclude=[], scaling={"terms": ["depth"]}, trials=40,
    )  # fmt: skip
    (axes,) = draw_scaling(read_info(path), law, Look()).axes
    assert " ".join(axes.get_ylabel().split()) == "number of measurements $m$ at 50 % success"
    (drawn,) = lines(axes)
    np.testing.assert_allclose(drawn, np.column_stack([[1, 2, 3], law["law"]]))


@pytest.mark.slow
def test_transitions_are_drawn_while_a_law_has_too_few_groups(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())
    sweep = tiny_sweep("k=2,3", scaling={"terms": ["k"]})
    run_sweep(sweep, store, kind=kind)
    figure = gp.plot(store)
    below = str(figure.get_supxlabel())
    assert "2 of 2 groups" in below
    assert "bars: 95 % Wilson intervals" in below
    assert figure.axes[0].get_xlabel().endswith("$m$")
    with pytest.raises(gp.UserError, match="2 of 2 groups"):
        gp.plot(store, size=(1, 1))


@pytest.mark.slow
def test_texts_have_one_place_in_all_curves(tmp_path: Path) -> None:
    """The second curve lacks the first text."""
    path, law = fitted(
        tmp_path,
        axes={"ensemble": ["gaussian", "rademacher", "laplace"], "depth": [1, 2], "m": M},
        parameters={"k": 3, "n": 20},
        exclude=["depth == 2 and ensemble == 'gaussian'"],
        scaling={"terms": ["depth"]},
    )
    (axes,) = draw_scaling(read_info(path), law, Look()).axes
    places = {
        text.get_text(): at
        for text, at in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)
    }
    one, two = (sorted(points[:, 0].tolist()) for points in lines(axes))
    assert one == sorted(places.values())
    assert two == sorted([places["rademacher"], places["laplace"]])
