"""The commands: help, what people read, what programs read, exit statuses, pictures."""

import io
import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers import (
    GENPRIOR,
    Scripted,
    assert_names,
    ended,
    recovery_sweep,
    results,
    scripted_command,
    tiny_sweep,
    write_sweep,
)

from genprior.pipeline import run_sweep
from genprior.pipeline.cli import main
from genprior.pipeline.cli.consoles import Output
from genprior.pipeline.show import tables
from genprior.pipeline.status import store_status
from genprior.store import open_analysis
from genprior.tasks import EXPERIMENTS

Command = Callable[..., Result]
SIGNATURES = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}


def strict_json(text: str) -> Any:
    """Read JSON as jq and other programs do: NaN and Infinity are no numbers there."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    return write_sweep(tiny_sweep(), tmp_path / "tiny.toml")


@pytest.fixture
def crashed(store: Path, kind: Scripted) -> Path:
    """A store with 12 trials done, one crashed and 35 pending."""
    made = tiny_sweep()
    run_sweep(made, store, kind=replace(kind, crash_at=(2, 3, 0)), fail_fast=True)
    run_sweep(tiny_sweep("k=6", "m=5,7,9", "trials=2"), store, kind=kind)
    assert int((results(store)["status"] == 1).sum()) == 7 + 6
    return store


@pytest.mark.parametrize("name", ["", *sorted(main.commands)])
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    for flag in ("--help", "-h"):
        result = CliRunner().invoke(main, [*filter(None, [name]), flag])
        assert result.exit_code == 0
        assert "Example:\n" in result.output
        assert f"genprior {name}".strip() in result.output


def test_the_installed_command_runs_by_name_and_says_its_version() -> None:
    said = subprocess.run([GENPRIOR, "--version"], capture_output=True, text=True, timeout=60)
    assert said.stdout.split()[-1] == version("genprior")
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["run"], ["run", "quickstart"], ["status", "a", "b"],
                  ["run", "quickstart", "x.zarr", "--workers", "0"], ["plot", "x", "--nonsense"]],
)  # fmt: skip
def test_wrong_usage_ends_with_2_and_a_hint(genprior: Command, arguments: list[str]) -> None:
    result = genprior(*arguments)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 2
    # Earlier versions of click name the shorter of both.
    assert any(f"{flag}' for help" in result.stderr for flag in ("--help", "-h"))
    assert result.stdout == ""


def test_sweeps_lists_every_preset(genprior: Command) -> None:
    presets = strict_json(genprior("sweeps", "--json").stdout)
    names = [preset["name"] for preset in presets]
    assert {"quickstart", "cocola-fig1", "cocola-fig2"} <= set(names)
    listed = genprior("sweeps").stdout
    for preset in presets:
        assert preset["name"] in listed
        assert {"title", "axes", "trials", "seed", "source"} <= set(preset)


def test_plan_counts_what_a_run_would_do(genprior: Command, sweep_file: Path) -> None:
    """12 points × 4 trials of 1 ms (as the scripted pilot says) in 6 blocks of 8."""
    command = ("plan", sweep_file, "--workers", "2")
    planned = strict_json(genprior(*command, "--json").stdout)
    counts = {key: planned[key] for key in ("points", "trials", "blocks", "workers")}
    assert counts == {"points": 12, "trials": 48, "blocks": 6, "workers": 2}
    assert planned["cpu_seconds"] == pytest.approx(0.048)
    assert planned["wall_seconds"] == pytest.approx(0.024)
    # 6 blocks of 6 numeric variables: at least a disk block of 4096 bytes each.
    assert planned["bytes"] >= 6 * 5 * 4096
    assert_names(genprior(*command).stdout, "k (3) × m (4)", "48", "6", "8")


def test_plan_and_run_agree_on_the_number_of_blocks(
    genprior: Command, sweep_file: Path, store: Path
) -> None:
    settings = ("--set", "m=3:9:3", "--trials", "5", "--seed", "3", "--set", "blocks.trials=2")
    planned = strict_json(genprior("plan", sweep_file, *settings, "--json").stdout)
    ran = strict_json(genprior("run", sweep_file, store, *settings, "--json").stdout)
    assert (planned["trials"], planned["blocks"]) == (45, 27)
    assert (ran["total"], ran["blocks"]) == (45, 27)
    assert results(store)["m"].values.tolist() == [3, 6, 9]


def test_run_prints_a_summary_for_people(genprior: Command, sweep_file: Path, store: Path) -> None:
    first = genprior("run", sweep_file, store)
    assert first.exit_code == 0
    successes = int(results(store)["success"].sum())
    assert_names(first.stdout, store, "48 of 48", f"{round(100 * successes / 48)} %")
    again = genprior("run", sweep_file, store)
    assert_names(again.stdout, store, "48 of 48")
    assert again.stdout.count("\n") == 1
    assert "%" not in again.stdout


def test_run_prints_a_summary_for_programs(
    genprior: Command, sweep_file: Path, store: Path, undisturbed: Path
) -> None:
    summary = strict_json(genprior("run", sweep_file, store, "--json").stdout)
    counts = ("total", "done", "computed", "already_done", "crashed", "pending", "blocks")
    assert [summary[name] for name in counts] == [48, 48, 48, 0, 0, 0, 6]
    assert summary["successes"] == int(results(undisturbed)["success"].sum())
    assert summary["interrupted"] is False


def test_progress_is_plain_lines_where_there_is_no_terminal(
    kind: Scripted, sweep_file: Path, store: Path
) -> None:
    command = ("run", sweep_file, store, "--scheduler=threads", "--workers=2", "--json")
    with ended(scripted_command(kind, *command)) as process:
        printed, said = process.communicate(timeout=60)
    assert strict_json(printed)["workers"] == 2
    lines = said.splitlines()
    assert_names(lines[1], "0/48", "0 %")
    assert_names(lines[-1], "48/48", "100 %", "/s")
    assert "\x1b" not in said


def test_a_run_with_a_crashed_trial_says_so_and_exits_with_3(
    genprior: Command, kind: Scripted, sweep_file: Path, store: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setitem(
        EXPERIMENTS.built_in, "scripted", replace(kind, crash_at=(4, 5, 2)).as_class()
    )
    result = genprior("run", sweep_file, store)
    assert result.exit_code == 3
    assert_names(result.stdout, "47 of 48", "1 crashed", "k=4, m=5, trial=2: ArithmeticError")


def test_retries_and_fail_fast_are_options_of_run(
    genprior: Command, kind: Scripted, sweep_file: Path, store: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    failing = replace(kind, crash_at=(2, 3, 0), crashes=2)
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", failing.as_class())
    options = ("run", sweep_file, store, "--json")
    stopped = strict_json(genprior(*options, "--fail-fast", "--retries", "0").stdout)
    assert (stopped["computed"], stopped["crashed"], stopped["pending"]) == (7, 1, 40)
    completed = strict_json(genprior(*options, "--retries", "1").stdout)
    assert (completed["computed"], completed["crashed"]) == (41, 0)


def test_status_tells_done_crashed_and_pending_apart(genprior: Command, crashed: Path) -> None:
    result = genprior("status", crashed, "--json")
    assert result.exit_code == 3
    found = strict_json(result.stdout)
    assert found["trials"] == {
        "total": 48, "done": 13, "crashed": 1, "pending": 34, "excluded": 0, "not_asked": 0,
    }  # fmt: skip
    said = "ArithmeticError: (2, 3, 0) was told to crash"
    assert found["errors"] == [{"k": 2, "m": 3, "trial": 0, "error": said}]
    shown = genprior("status", crashed)
    assert shown.exit_code == 3
    assert_names(shown.stdout, "13 of 48", "34 pending", "1 crashed")
    assert_names(shown.stdout, "k=2, m=3, trial=0: ArithmeticError")


def test_status_says_each_crash_text_once(
    genprior: Command, kind: Scripted, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 48 trials 47 say the same, and one says something else; printing changes no dictionary."""

    def fail(self: Scripted, point: Any, draws: Any) -> None:
        odd = (point.k, point.m, draws.trial) == (4, 5, 2)
        raise ValueError("odd" if odd else "out of luck")

    monkeypatch.setattr(Scripted, "run", fail)
    assert genprior("run", write_sweep(tiny_sweep(), store.parent / "t.toml"), store).exit_code == 3
    found = strict_json(genprior("status", store, "--json").stdout)
    assert found["crashes"] == [
        {"error": "ValueError: out of luck", "trials": 47, "first": {"k": 2, "m": 3, "trial": 0}},
        {"error": "ValueError: odd", "trials": 1, "first": {"k": 4, "m": 5, "trial": 2}},
    ]
    assert len(found["errors"]) == 5
    shown = genprior("status", store).stdout
    assert shown.count("out of luck") == shown.count("odd") == 1
    held = store_status(store)
    before = json.dumps(asdict(held))
    tables.status_rows(held)
    assert json.dumps(asdict(held)) == before


@pytest.mark.parametrize("columns", ["0", "20", "80"])
def test_tables_are_not_folded_where_nobody_sees_them(
    genprior: Command, undisturbed: Path, store: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    path = store.parent / ("x" * 120)
    path.symlink_to(undisturbed)
    shown = genprior("status", path).stdout.splitlines()
    assert len(shown) == 7
    assert not [line for line in shown if line != line.rstrip()]
    assert shown[0].split() == ["store", str(path)]


def test_a_terminal_of_no_width_is_taken_for_a_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As COLUMNS=0 has it, and some pseudo-terminals; on a terminal tables do fold."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    for columns, width in (("0", 80), ("33", 33)):
        monkeypatch.setenv("COLUMNS", columns)
        assert Output().width == width


def test_run_counts_the_successes_of_all_that_is_done(
    genprior: Command, sweep_file: Path, store: Path, undisturbed: Path
) -> None:
    """Those of this call have a field of their own."""
    genprior("run", sweep_file, store, "--trials", "2")
    found = [strict_json(genprior("run", sweep_file, store, "--json").stdout) for _ in range(2)]
    success = results(undisturbed)["success"]
    everything = int(success.sum())
    here = int(success.isel(trial=[2, 3]).sum())
    assert [one["done_successes"] for one in found] == [everything, everything]
    assert [one["successes"] for one in found] == [here, 0]
    assert [one["already_successful"] for one in found] == [everything - here, everything]


def test_status_of_a_complete_store_exits_with_0(genprior: Command, undisturbed: Path) -> None:
    result = genprior("status", undisturbed, "--json")
    assert result.exit_code == 0
    found = strict_json(result.stdout)
    assert found["trials"]["done"] == found["trials"]["total"] == 48
    assert found["successes"] == int(results(undisturbed)["success"].sum())


def test_excluded_points_are_not_missing(genprior: Command, kind: Scripted, store: Path) -> None:
    """3 of 12 points have m < k: 36 trials are all there is."""
    run_sweep(tiny_sweep(exclude=("m < k",)), store, kind=kind)
    result = genprior("status", store, "--json")
    trials = strict_json(result.stdout)["trials"]
    assert result.exit_code == 0
    assert (trials["total"], trials["done"], trials["excluded"]) == (36, 36, 12)


def test_fit_gives_a_transition_for_every_group(
    genprior: Command, undisturbed: Path, store: Path
) -> None:
    """The scripted trial succeeds with probability m/12, so the 50 % point is near 6."""
    shutil.copytree(undisturbed, store)
    found = strict_json(genprior("fit", store, "--json").stdout)
    assert [row["k"] for row in found["transitions"]] == [2, 4, 6]
    for row in found["transitions"]:
        assert (row["along"], row["trials"]) == ("m", 16)
        assert row["outcome"] in ("inside", "above")
        known = [row[name] for name in ("p50_low", "p50", "p50_high") if row[name] is not None]
        assert known == sorted(known)
        assert {"width", "method"} <= set(row)
    kept = open_analysis(store, "transition")
    points = [None if point != point else point for point in kept["p50"].values.tolist()]
    assert points == [row["p50"] for row in found["transitions"]]
    shown = genprior("fit", store).stdout
    assert_names(shown.splitlines()[0], "k", "(m)", "trials")
    assert [line.split()[0] for line in shown.splitlines()[1:4]] == ["2", "4", "6"]


def test_fit_of_a_group_without_a_trial_is_still_json(
    genprior: Command, kind: Scripted, store: Path
) -> None:
    """Nothing is known of k = 6, and said so; NaN would be no JSON."""
    run_sweep(tiny_sweep("k=2,4"), store, kind=kind)
    run_sweep(tiny_sweep("k=2,4,6"), store, kind=kind, budget=1e-9)
    last = strict_json(genprior("fit", store, "--json").stdout)["transitions"][-1]
    assert (last["k"], last["trials"], last["flag"]) == (6, 0, "no-trials")
    assert genprior("fit", store).exit_code == 0


def test_fit_along_another_axis_and_without_groups(
    genprior: Command, kind: Scripted, store: Path
) -> None:
    run_sweep(tiny_sweep(axes={"m": [3, 5, 9]}, parameters={"k": 2, "depth": 1, "widths": [12]}),
              store, kind=kind)  # fmt: skip
    found = strict_json(genprior("fit", store, "--along", "m", "--json").stdout)
    assert found["groups"] == []
    assert len(found["transitions"]) == 1


ONE = {"axes": {"m": [3, 5, 7, 9]}, "parameters": {"k": 2, "depth": 1, "widths": [12]}}
THREE = {"axes": {"gain": [1, 2], "k": [2, 4, 6], "m": [3, 5, 7, 9]}}


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        pytest.param(ONE, ["success probability", "number of measurements"], id="one axis"),
        pytest.param({}, ["latent dimension", "number of measurements"], id="two axes"),
        pytest.param(THREE, ["gain = 1", "gain = 2"], id="panels"),
    ],
)
def test_plot_draws_curves_maps_and_panels(
    genprior: Command, kind: Scripted, store: Path, tmp_path: Path,
    changes: dict[str, Any], shown: list[str],
) -> None:  # fmt: skip
    run_sweep(tiny_sweep("trials=2", **changes), store, kind=kind)
    picture = tmp_path / "picture.svg"
    result = genprior("plot", store, "-o", picture)
    assert result.exit_code == 0
    assert result.stdout.split()[-1] == str(picture)
    assert_svg_says(picture, shown)


@pytest.mark.parametrize("ending", SIGNATURES)
def test_plot_writes_what_the_ending_says(
    genprior: Command, undisturbed: Path, tmp_path: Path, ending: str
) -> None:
    picture = tmp_path / f"picture{ending}"
    assert genprior("plot", undisturbed, "-o", picture).exit_code == 0
    assert picture.read_bytes().startswith(SIGNATURES[ending])


def assert_svg_says(picture: Path, shown: list[str]) -> None:
    """Matplotlib keeps each text as a comment next to its outlines."""
    ElementTree.parse(picture)
    text = picture.read_text()
    for piece in shown:
        assert f"<!-- {piece}" in text or piece in text, piece


def test_plot_draws_errors_with_intervals(genprior: Command, store: Path, tmp_path: Path) -> None:
    """As Cocola's Fig. 2: the signal error against k, a curve for each noise level."""
    axes = {"noise.snr_db": [20, 40], "k": [2, 4]}
    solver = {"max_steps": 40}
    parameters = {"depth": 2, "widths": [15, 20], "m": 9, "solver": solver}
    plot = {"variable": "signal_error", "x": "k"}
    run_sweep(recovery_sweep(axes=axes, parameters=parameters, plot=plot, fit={}), store)
    picture = tmp_path / "errors.svg"
    assert genprior("plot", store, "-o", picture).exit_code == 0
    assert_svg_says(picture, ["SNR [dB] = 20", "SNR [dB] = 40", "relative signal error"])


def test_plot_of_a_partly_run_store_draws_what_is_there(
    genprior: Command, crashed: Path, tmp_path: Path
) -> None:
    assert genprior("plot", crashed, "-o", tmp_path / "partly.png").exit_code == 0


def test_plot_names_its_picture_after_the_store(
    genprior: Command, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert genprior("plot", undisturbed).stdout.split()[-1] == "tiny.png"
    assert (tmp_path / "tiny.png").exists()


def test_a_reader_that_goes_away_is_no_error_to_talk_about(undisturbed: Path) -> None:
    """As in 'genprior status … | head -1': nobody is left to read a traceback."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        said = subprocess.run(
            [GENPRIOR, "status", undisturbed, "--json"],
            stdout=closed, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert "Traceback" not in said.stderr
    assert said.returncode in (0, 1)
