"""`import genprior`: its names, its functions, and what they refuse."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from click.testing import Result
from helpers import (
    PROJECT,
    Scripted,
    recovery_sweep,
    results,
    tiny_sweep,
    write_sweep,
)
from matplotlib.figure import Figure

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.show.shown import html_table
from genprior.sweeps import Grid
from genprior.tasks import EXPERIMENTS

Command = Callable[..., Result]
PLAN_FIELDS = [
    "sweep", "hash", "axes", "points", "excluded_points", "trials", "blocks", "trials_per_block",
    "workers", "cpu_seconds", "wall_seconds", "bytes", "memory_bytes", "design", "groups",
]  # fmt: skip
STATUS_FIELDS = [
    "store", "sweep", "title", "hash", "axes", "trials", "successes", "trial_seconds",
    "abandonment", "analyses", "not_made", "errors", "crashes", "damaged", "machine",
    "kernel_version", "runs", "queue", "groups",
]  # fmt: skip


@pytest.fixture
def scripted(kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """The scripted task, known by its name."""
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())
    return kind


def python(code: str, *options: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run some Python in a process of its own."""
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True, text=True, timeout=120, cwd=cwd, check=False,
    )  # fmt: skip


def test_importing_it_loads_nothing_else() -> None:
    ended = python("import genprior, sys; print(*sys.modules)")
    loaded = {name.split(".")[0] for name in ended.stdout.split()}
    assert "genprior" in loaded
    assert not {"numpy", "xarray", "zarr", "dask", "click", "pydantic", "matplotlib"} & loaded
    assert not any(name.startswith("genprior.") for name in ended.stdout.split())


def test_a_sweep_is_loaded_without_what_only_fits_compute_with() -> None:
    """They take a tenth of a second, of the start of every command."""
    ended = python("import genprior as g, sys; g.load_sweep('quickstart'); print(*sys.modules)")
    heavy = {"scipy.interpolate", "scipy.optimize", "matplotlib", "genprior.tasks.theory.terms"}
    assert not heavy & set(ended.stdout.split())


def test_every_name_is_there_and_type_checkers_see_the_same_ones() -> None:
    """What a type checker reads is written a second time: in the branch that never runs."""
    source = (PROJECT / "pipeline/public/__init__.py").read_text(encoding="utf-8")
    branch = next(
        node for node in ast.parse(source).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )  # fmt: skip
    seen = [alias.name for node in branch.body for alias in getattr(node, "names", ())]
    assert (
        sorted([*seen, "__version__"])
        == sorted(gp.__all__)
        == sorted({*gp.MODULES, "__version__", "testing"})
    )
    assert set(gp.__all__) <= set(dir(gp))
    for name in gp.__all__:
        assert getattr(gp, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        gp.nothing_of_the_kind  # noqa: B018


def test_it_is_the_command_line_too() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "genprior", "--version"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ended.stdout.split() == ["genprior,", "version", gp.__version__]


def test_a_sweep_is_run_fitted_and_drawn(store: Path, scripted: Scripted) -> None:
    """Paths may be text; the same call again computes nothing."""
    path, sweep = str(store), tiny_sweep()
    planned = gp.plan(sweep, workers=2)
    assert (planned.points, planned.trials, planned.blocks) == (12, 48, 6)
    summary = gp.run(sweep, path, scheduler="synchronous")
    assert (summary.computed, summary.pending, summary.workers) == (48, 0, 1)
    assert gp.run(sweep, path, scheduler="synchronous").computed == 0
    assert set(scripted.calls().values()) == {1}
    held = gp.status(path)
    assert (held.trials.done, held.trials.total, held.successes) == (48, 48, summary.successes)
    fits = gp.fit(path)
    assert fits["transition"].k.values.tolist() == [2, 4, 6]
    assert [row["k"] for row in fits.records()["transitions"]] == [2, 4, 6]
    assert "<pre>" in fits._repr_html_()
    assert gp.status(path).not_made == []
    xr.testing.assert_identical(gp.open(path), xr.open_zarr(path))
    assert gp.open(path).success.chunks == xr.open_zarr(path).success.chunks
    assert isinstance(gp.plot(path, size=(5, 4), title=False), Figure)


def test_a_sweep_may_be_a_file_or_a_preset(tmp_path: Path, scripted: Scripted) -> None:
    file = write_sweep(tiny_sweep(), tmp_path / "mine.toml")
    assert gp.load_sweep(file) == gp.load_sweep(str(file)) == tiny_sweep()
    assert gp.plan(file, workers=1).trials == gp.plan(str(file), workers=1).trials == 48
    assert gp.load_sweep("quickstart").axes["k"] == [4, 7, 10, 13, 16]


def test_json_has_the_fields_of_the_results(
    genprior: Command, store: Path, tmp_path: Path, scripted: Scripted
) -> None:
    """Scripts read them: neither a name nor its place changes."""
    file = write_sweep(tiny_sweep(), tmp_path / "t.toml")
    assert list(json.loads(genprior("plan", file, "--json").stdout)) == PLAN_FIELDS
    assert list(asdict(gp.plan(file))) == PLAN_FIELDS
    gp.run(file, store, scheduler="synchronous")
    printed = json.loads(genprior("status", store, "--json").stdout)
    assert list(printed) == STATUS_FIELDS
    assert list(printed["trials"]) == [
        "total", "done", "crashed", "pending", "excluded", "not_asked",
    ]  # fmt: skip
    assert printed == asdict(gp.status(store))


def test_results_show_themselves(store: Path, scripted: Scripted) -> None:
    sweep = tiny_sweep(name="<b>")
    for shown in (gp.plan(sweep), gp.run(sweep, store, scheduler="synchronous"), gp.status(store)):
        assert shown._repr_html_().count("<tr>") == len(shown.rows()) >= 4
        assert len(str(shown).splitlines()) >= 4
        assert repr(shown) == str(shown)
    assert "<b>" not in gp.plan(sweep)._repr_html_()
    assert "&lt;b&gt;" in gp.plan(sweep)._repr_html_()
    assert html_table({"a": "1\n2"}).count("<td") == 1
    fits = gp.fit(store)
    assert str(fits).count("\n") >= 3
    assert "\x1b" not in repr(fits)
    assert fits._repr_html_().startswith("<pre>")


REFUSED: dict[str, tuple[list[str], Callable[[Path], Any]]] = {
    "no m": (["run", "t.toml", "s.zarr"], lambda at: gp.run(at / "t.toml", at / "s.zarr")),
    "no m to plan": (["plan", "t.toml"], lambda at: gp.plan(at / "t.toml")),
    "no store": (["status", "s.zarr"], lambda at: gp.status(at / "s.zarr")),
    "nothing to open": (["fit", "s.zarr"], lambda at: gp.open(at / "s.zarr")),
    "nothing to draw": (["plot", "s.zarr"], lambda at: gp.plot(at / "s.zarr")),
    "a file": (["status", "t.toml"], lambda at: gp.open(at / "t.toml")),
    "no store but a folder": (["fit", "."], lambda at: gp.fit(at / ".")),
    "no preset": (["plan", "quikstart"], lambda at: gp.plan("quikstart")),
    "a URL": (["status", "s3://x/y"], lambda at: gp.status("s3://x/y")),
    "no scheduler": (
        ["run", "t.toml", "s.zarr", "--scheduler", "fast"],
        lambda at: gp.run(at / "t.toml", at / "s.zarr", scheduler="fast"),
    ),
    "here": (["run", "ok.toml", "."], lambda at: gp.run(at / "ok.toml", at)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_command_refuses_the_function_refuses_in_the_same_words(
    genprior: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "axes = {k = [2, 4]}\nparameters = {depth = 1, widths = [20]}\ntrials = 2\n"
    Path("t.toml").write_text(text, encoding="utf-8")
    Path("ok.toml").write_text(text.replace("k = [2, 4]", "k = [2, 4], m = [9]"), encoding="utf-8")
    arguments, call = REFUSED[case]
    told = genprior(*arguments)
    with pytest.raises(gp.UserError) as refused:
        call(Path())
    assert told.exit_code == refused.value.exit_status
    assert told.stderr == f"genprior: {refused.value}\n"
    assert {p.name for p in Path().iterdir()} == {"calls", "ok.toml", "t.toml"}


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": 2.5}, {"retries": 101}])
def test_numbers_are_as_bounded_as_the_options(store: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(gp.UserError, match=next(iter(wrong))):
        gp.run(recovery_sweep(), store, **wrong)
    assert not store.exists()


def test_another_experiment_is_refused_before_workers_are_needed(
    store: Path, scripted: Scripted
) -> None:
    gp.run(tiny_sweep(), store, scheduler="synchronous")
    with pytest.raises(gp.UserError, match="seed"):
        gp.run(tiny_sweep("seed=8"), store, scheduler="synchronous")


def test_run_sweep_itself_checks_where_the_store_would_be(
    tmp_path: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(gp.UserError) as refusal:
        run_sweep(tiny_sweep(), Path(), kind=kind)
    assert refusal.value.exit_status == 2
    assert list(Path().iterdir()) == []
    assert not kind.calls()


@pytest.mark.parametrize(
    ("settings", "most"), [((), 1), (("trials=5",), 3), (("k=2,4,6,8", "trials=4"), 3)]
)
def test_a_run_lays_its_grid_out_once(
    genprior: Command, store: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch,
    settings: tuple[str, ...], most: int,
) -> None:  # fmt: skip
    """Of a new store there is one grid; of a larger one those of the old and the new store too.

    A worker lays out the grid of the store once more: it is another process elsewhere.
    """
    if settings:
        gp.run(tiny_sweep(), store, scheduler="synchronous")
    made = []
    lay_out = Grid.__init__

    def counted(self: Grid, sweep: gp.Sweep) -> None:
        made.append(sweep)
        lay_out(self, sweep)

    monkeypatch.setattr(Grid, "__init__", counted)
    gp.run(tiny_sweep(*settings), store, scheduler="synchronous")
    assert len(made) == most + 1


def test_an_interrupted_run_raises_and_goes_on_where_it_was(
    store: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller who stops a cell wants no later one to run; two blocks of eight trials are kept."""

    def interrupt(self: Scripted, point: Any, trial: int, *others: Any) -> Any:
        if len(self.calls()) == 16:
            raise KeyboardInterrupt
        return run(self, point, trial, *others)

    run = Scripted.run
    with monkeypatch.context() as patch:
        patch.setattr(Scripted, "run", interrupt)
        with pytest.raises(KeyboardInterrupt, match="16 of 48"):
            gp.run(tiny_sweep(), store, scheduler="synchronous")
    assert gp.status(store).trials.done == 16
    assert gp.run(tiny_sweep(), store, scheduler="synchronous").computed == 32
    assert set(scripted.calls().values()) == {1}


def test_a_crash_stays_readable(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = replace(kind, crash_at=(2, 3, 0))
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", crashing.as_class())
    assert gp.run(tiny_sweep(), store, scheduler="synchronous").crashed == 1
    told = results(store)["error"].sel(k=2, m=3, trial=0).item()
    assert told == "ArithmeticError: (2, 3, 0) was told to crash"
    assert gp.status(store).crashes[0]["error"] == told


@pytest.mark.parametrize("size", [3, (1, 2, 3), "8x5"])
def test_a_size_that_is_none_is_refused(undisturbed: Path, size: Any) -> None:
    with pytest.raises(gp.UserError, match="size"):
        gp.plot(undisturbed, size=size)
