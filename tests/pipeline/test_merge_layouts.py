"""`genprior merge --as` and `gp.merge(layout=)`: conversions, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from helpers import assert_names, refused, write_sweep
from placed_sweeps import placed_sweep, statuses, trials_of

from genprior.pipeline import calls
from genprior.sweeps import UserError

Command = Callable[..., Result]


@pytest.fixture
def placed(genprior: Command, tmp_path: Path) -> Path:
    """A store with one group of placed trials, made by the command."""
    path = tmp_path / "placed.zarr"
    sweep = placed_sweep(axes={"k": [2], "m": [2, 60]})
    assert genprior("run", write_sweep(sweep, tmp_path / "sweep.toml"), path).exit_code == 0
    return path


def test_the_command_converts_a_store_and_says_so_where_it_is_needed(
    genprior: Command, placed: Path, tmp_path: Path
) -> None:
    grid, sweep, back = tmp_path / "grid.zarr", tmp_path / "sweep.toml", tmp_path / "back.zarr"
    merged = genprior("merge", placed, grid, "--as", "grid", "--json")
    done = len(trials_of(placed))
    assert json.loads(merged.stdout)["trials"]["done"] == done
    assert trials_of(grid) == trials_of(placed)
    refusal = genprior("merge", placed, grid, back)
    assert refusal.exit_code == 2
    assert_names(refusal.stderr, "--as")
    other = genprior("run", sweep, grid)
    assert other.exit_code != 0
    assert_names(other.stderr, f"genprior merge {grid} NEW --as placed")
    assert genprior("merge", placed, grid, back, "--as", "placed").exit_code == 0
    assert statuses(back)["DONE"] == done
    assert genprior("run", sweep, back, "--set", "adaptive.precision=0.5").exit_code == 0
    assert genprior("status", back).exit_code == 0


@pytest.mark.slow
def test_a_fit_reads_a_converted_store_as_it_reads_the_placed_one(
    genprior: Command, placed: Path, tmp_path: Path
) -> None:
    calls.merge([placed], tmp_path / "grid.zarr", layout="grid")
    fits = [calls.fit(path)["transition"] for path in (placed, tmp_path / "grid.zarr")]
    for name in ("p50", "p50_low", "p50_high", "trials"):
        assert fits[0][name].values.tolist() == pytest.approx(fits[1][name].values.tolist())


def test_a_layout_that_does_not_exist_is_refused(placed: Path, tmp_path: Path) -> None:
    with refused(UserError, "layout", "'dense'"):
        calls.merge([placed], tmp_path / "out.zarr", layout="dense")  # type: ignore[arg-type]
