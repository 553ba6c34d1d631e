"""The scaling law from sweep file to table, JSON, store and picture."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from helpers import Scripted, assert_names, refused, tiny_sweep

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.analyses.scaling import Scaling
from genprior.pipeline.analyses.scaling_terms import group_terms
from genprior.pipeline.fit.fitting import fit_store
from genprior.pipeline.show.scaling_tables import scaling
from genprior.store import open_analysis
from genprior.sweeps import Grid, Sweep, SweepError
from genprior.tasks.theory.terms import SHAPES

Command = Callable[..., Result]
M = [2, 3, 4, 5, 6, 8, 10, 13, 17, 22]


class Threshold(Scripted):
    """Half of the trials succeed at m = 2 k."""

    def run(self, point: Any, draws: Any) -> dict[str, Any]:
        found = super().run(point, draws)
        chance = 1 / (1 + (point.m / (2 * point.k)) ** -5)
        return {**found, "success": int(found["latent_error"] < chance)}


def sweep_of(*settings: str, **changes: Any) -> Sweep:
    written = {
        "axes": {"k": [2, 3, 4, 6], "m": M},
        "scaling": {"terms": ["k"], "shapes": ["k", "k d log n"]},
        "blocks": {"trials": 800},
        "trials": 20,
    }
    return tiny_sweep(*settings, **{**written, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "calls").mkdir()
    run_sweep(sweep_of(), folder / "made.zarr", kind=Threshold(str(folder / "calls")))
    return folder / "made.zarr"


@pytest.fixture
def threshold(tmp_path: Path) -> Threshold:
    folder = tmp_path / "counted"
    folder.mkdir()
    return Threshold(str(folder))


class Falling(Threshold):
    """As many trials fail as succeed with `Threshold`."""

    def run(self, point: Any, draws: Any) -> dict[str, Any]:
        found = super().run(point, draws)
        return {**found, "success": 1 - found["success"]}


@pytest.mark.slow
def test_the_law_has_the_direction_of_the_transitions(tmp_path: Path, threshold: Threshold) -> None:
    """Outcomes that contradict what is expected of m decide; the same 50 % points give one law."""
    laws = []
    for kind in (threshold, Falling(threshold.folder)):
        store = tmp_path / f"{type(kind).__name__}.zarr"
        run_sweep(sweep_of(), store, kind=kind)
        fits = fit_store(store)
        laws.append(fits["scaling"])
        assert set(fits["transition"]["direction"].values) == {1 if len(laws) == 1 else -1}
    rising, falling = (law["exponent"].values for law in laws)
    assert laws[1].attrs["groups"] == 4
    np.testing.assert_allclose(falling, rising, atol=0.02)  # lapses are not those of a mirror


@pytest.mark.parametrize(
    ("setting", "words"),
    [("paired=m", "the same draws are used all along 'm'"), ("fit.along=k", "'k' is fit.along")],
)
def test_a_law_that_the_sweep_cannot_have_is_refused_before_it_runs(
    genprior: Command, tmp_path: Path, setting: str, words: str
) -> None:
    asked = ("--set", "scaling.terms=k", "--set", setting)
    for command in (("plan", "quickstart"), ("run", "quickstart", tmp_path / "not.zarr")):
        found = genprior(*command, *asked)
        assert (found.exit_code, found.stdout) == (2, "")
        assert_names(found.stderr, "scaling", words)
        assert found.stderr.count("\n") == 1
    assert not (tmp_path / "not.zarr").exists()


def test_the_command_gives_exponents_and_constants(genprior: Command, made: Path) -> None:
    found = json.loads(genprior("fit", made, "--json").stdout)
    rows = {(row["kind"], row["term"]): row for row in found["scaling"]}
    assert list(rows) == [
        ("term", "constant"), ("term", "k"), ("shape", "k"), ("shape", "k d log n")
    ]  # fmt: skip
    exponent, linear = rows["term", "k"], rows["shape", "k"]
    assert exponent["low"] < 1 < exponent["high"]
    assert linear["low"] < 2 < linear["high"]
    assert linear["lack_of_fit"] > 0.01
    assert linear["log_odds"] > 0, "one constant is enough"
    assert found["scaling_law"]["of"] == "m"
    assert found["scaling_law"]["groups"] == 4
    assert open_analysis(made, "scaling")["threshold"].sizes == {"k": 4}
    assert gp.fit(made)["scaling"].attrs["tau"] == found["scaling_law"]["tau"]


def test_the_table_names_terms_shapes_and_scatter(genprior: Command, made: Path) -> None:
    printed = genprior("fit", made).stdout
    for words in (
        "k: exponent", "m over k d log n", "constant: factor", "p, exact", "log odds",
        "law of m at 50 % success over 4 of 4 groups", "p of none", "curves: ",
    ):  # fmt: skip
        assert words in printed


def test_a_table_without_shapes_has_no_columns_for_them(made: Path) -> None:
    found = gp.fit(made)["scaling"]
    rows = Scaling().records(found)
    terms = [row for row in rows if row["kind"] == "term"]
    assert [len(scaling(some, found).columns) for some in (rows, terms)] == [5, 2]


OWN_STEP = ["k > 3 and solver.step == 0.7", "k < 4 and solver.step == 0.5"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "axes", "rules"),
    [
        ("solver.step=0.5,0.7", ["solver.step"], []),
        ("solver.step=0.5,0.7", [], OWN_STEP),
        ("solver.step=0.5", [], []),
        ("ensemble=gaussian,rademacher", [], []),
    ],
)
def test_groups_that_have_the_same_draws_are_named(
    genprior: Command,
    store: Path,
    threshold: Threshold,
    setting: str,
    axes: list[str],
    rules: list[str],
) -> None:
    """A step of its own for each k, or one step for all, are not two groups with the same draws."""
    written = sweep_of("m=3,4,6,8,12", setting)
    if setting == "solver.step=0.5":
        written = sweep_of("m=3,4,6,8,12", axes={"k": [2, 3, 4, 6], "solver.step": [0.5], "m": M})
    run_sweep(written.override([f"exclude={rules}"]) if rules else written, store, kind=threshold)
    printed = " ".join(genprior("fit", store).stdout.split())
    assert ("have the same draws and count as independent" in printed) == bool(axes)
    assert all(f"groups along {axis}" in printed for axis in axes)
    assert open_analysis(store, "scaling").attrs["same_draws"].split() == axes
    found = json.loads(genprior("fit", store, "--json").stdout)
    assert found["scaling_law"]["same_draws"] == axes


@pytest.mark.slow
def test_groups_that_are_left_out_are_named_with_the_reason(
    genprior: Command, store: Path, threshold: Threshold, tmp_path: Path
) -> None:
    """At k = 12, m = 5 is far from enough; at k = 4 a fourth succeeds at the last value."""
    run_sweep(sweep_of("k=1,2,3,4,12", "m=1,2,3,4,5", "trials=60"), store, kind=threshold)
    found = json.loads(genprior("fit", store, "--json").stdout)
    (left,) = [row for row in found["scaling"] if row["kind"] == "left out"]
    assert left == {"kind": "left out", "k": 12, "reason": "no-success"}
    printed = " ".join(genprior("fit", store).stdout.split())
    assert "over 4 of 5 groups" in printed
    assert "left out, no success, so that 50 % is beyond the values: k = 12" in printed
    assert open_analysis(store, "scaling")["left_out"].values.tolist() == [*[""] * 4, "no-success"]
    assert genprior("plot", store, "-o", tmp_path / "law.png").exit_code == 0


def test_the_picture_is_the_law(genprior: Command, made: Path, tmp_path: Path) -> None:
    assert genprior("plot", made, "-o", tmp_path / "law.png").exit_code == 0
    headings = [axes.get_title().split(":")[0] for axes in gp.plot(made).axes]
    assert headings == ["law with all terms", "k", "k d log n"]


def test_an_axis_that_multiplies_gives_the_law_of_the_product() -> None:
    """With m = k · m_per_k, rounded, the law is about m."""
    sweep = sweep_of(
        axes={"k": [2, 4], "n": [12, 20], "m_per_k": [1, 1.7]},
        parameters={"depth": 1},
        dependent={
            "m": {"of": "k", "times": "m_per_k"},
            "widths": {"of": "n", "by": "depth", "table": {"1": [1]}},
        },
        fit={"along": "m_per_k"},
        exclude=["k == 4 and n == 12"],
    )
    found = group_terms(Grid(sweep), "m_per_k", ["k", "n"], ["k d log n"])
    assert found.quantity == "m"
    assert found.offset.dims == ("k", "n", "m_per_k")
    at_both = np.log([[2, 3 / 1.7], [4, 7 / 1.7]])
    np.testing.assert_allclose(found.offset.isel(n=1), at_both)
    assert found.offset.isel(k=1, n=0).isnull().all()
    logs = np.log([[2, 2], [np.nan, 4]])
    np.testing.assert_allclose(found.terms["k"], logs)
    np.testing.assert_allclose(found.terms["n"], np.log([[12, 20], [np.nan, 20]]))
    shape = np.log([SHAPES["k d log n"].formula(2, (n,)) for n in (12, 20)])
    np.testing.assert_allclose(found.shapes["k d log n"][0], shape)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"scaling": {"terms": ["kk"]}}, ["scaling.terms", "'kk'", "'k'"]),
        ({"scaling": {"terms": ["k"], "shapes": ["k log k"]}}, ["scaling.shapes", "'k log k'"]),
        ({"scaling": {"terms": []}}, ["scaling.terms", "empty"]),
        ({"scaling": {"terms": ["k", "k"]}}, ["scaling.terms", "twice"]),
        ({"scaling": {"shapes": ["k"]}}, ["terms"]),
        ({"fit": {}}, ["scaling", "fit.along"]),
    ],
)
def test_a_law_that_is_none_is_refused(changes: dict[str, Any], named: list[str]) -> None:
    with refused(SweepError, *named):
        sweep_of(**changes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (['scaling.terms=["k", "depth"]'], ["'depth'", "one value", "vary it"]),
        (['scaling.terms=["k", "n/k"]'], ["'k' and 'n/k'", "one shape", "vary n/k or k alone"]),
        (["k=2,3"], ["2 of 2 groups", "1 term needs 3", "Add values to the axes of the groups."]),
        (["k=2"], ["1 of 1 groups", "1 term needs 3"]),
        (["m=20,22"], ["4 groups enter", "no failure", "beyond the values"]),
    ],
)
def test_terms_that_the_grid_cannot_tell_apart_are_left_out_in_one_line(
    genprior: Command, store: Path, threshold: Threshold, settings: list[str], named: list[str]
) -> None:
    """With one width, n/k is k over again. The other analyses are made."""
    run_sweep(sweep_of(*settings), store, kind=threshold)
    answered = genprior("fit", store)
    assert answered.exit_code == 0
    (line,) = [line for line in answered.stdout.splitlines() if line.startswith("left out")]
    assert_names(line, "scaling", *named)
    assert "transition" in fit_store(store)


def test_the_star_tells_its_terms_apart() -> None:
    """Eight groups, in which k, depth and log n vary without each other."""
    sweep = gp.load_sweep("scaling-star")
    grid = Grid(sweep)
    found = group_terms(grid, "m_per_k", sweep.scaling.terms, sweep.scaling.shapes)
    columns = [values.values[~np.isnan(values.values)] for values in found.terms.values()]
    design = np.column_stack([np.ones(columns[0].size), *columns])
    assert design.shape == (8, 4)
    assert np.linalg.cond(design / np.linalg.norm(design, axis=0)) < 100


@pytest.mark.slow
def test_plan_says_which_shapes_the_star_tells_apart(genprior: Command) -> None:
    """All 20 ordered pairs; with two trials a point some no longer are."""
    planned = json.loads(genprior("plan", "scaling-star", "--json").stdout)
    rows = planned["design"]["scaling"]
    assert len(rows) == 20
    assert min(row["power"] for row in rows) > 0.85
    assert all(row["remark"] == "" for row in rows)
    shown = genprior("plan", "scaling-star", "--trials", 2).stdout
    shown = " ".join(shown.split())
    assert "with a power of at least 0.8 in 16 of 20 pairs of shapes" in shown
    assert "to prefer k d log n, if it holds, over k log prod en/k" in shown
    assert "design" not in shown


def test_plan_refuses_terms_that_the_grid_cannot_tell_apart(genprior: Command) -> None:
    """In transition-kmd every layer is 25 k wide."""
    refused = genprior("plan", "transition-kmd", "--set", 'scaling.terms=["k", "n"]')
    assert refused.exit_code == 2
    assert_names(refused.stderr, "scaling", "'k' and 'n'", "one shape", "vary n/k alone")


def test_plan_of_other_sweeps_has_no_design(genprior: Command) -> None:
    planned = json.loads(genprior("plan", "quickstart", "--json").stdout)
    assert planned["design"] == {}
