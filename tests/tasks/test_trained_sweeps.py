"""Sweeps over networks from files: digests, workers, shapes, and the page about them."""

import errno
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from helpers import (
    GENPRIOR,
    PROJECT,
    assert_same_results,
    refused,
    results,
    tiny_sweep,
    write_sweep,
)
from network_files import WIDTHS, K, arrays, trained_sweep, written
from safetensors.numpy import save_file

from genprior.pipeline import run_sweep
from genprior.pipeline.run.block_task import BlockTask
from genprior.pipeline.run.worker import run_block
from genprior.store import read_info
from genprior.sweeps import Grid, Point, Sweep, SweepError, UserError
from genprior.tasks import task_kind
from genprior.tasks.environment import Needs
from genprior.tasks.generators import GENERATORS, weights_files
from genprior.tasks.generators.settled import settled
from genprior.tasks.generators.weights_files import read_weights, weights_digest, weights_shape

PAGE = PROJECT / "docs" / "generators.md"
SCRIPT = PAGE.parent / "train_digits_decoder.py"


@pytest.fixture
def net(tmp_path: Path) -> str:
    return written(tmp_path)


def test_the_digest_of_the_file_is_recorded(net, store):
    """As `sha256sum` has it."""
    run_sweep(trained_sweep(net), store)
    digest = hashlib.sha256(Path(net).read_bytes()).hexdigest()
    assert json.loads(results(store).attrs["weights_sha256"]) == {net: digest}


def test_a_changed_file_is_refused_unless_the_mixture_is_recorded(
    genprior: Callable[..., Result], tmp_path: Path, net: str, store: Path
) -> None:
    run_sweep(trained_sweep(net), store)
    before = weights_digest(net)
    written(tmp_path, **arrays(seed=1))
    with refused(UserError, net, before, weights_digest(net)):
        run_sweep(trained_sweep(net, trials=5), store)
    assert run_sweep(trained_sweep(net, trials=5), store, allow_mixed=True).computed == 3
    attributes = results(store).attrs
    assert json.loads(attributes["mixed"]) == [{f"SHA-256 of {net}": weights_digest(net)}]
    assert json.loads(attributes["weights_sha256"]) == {net: before}


@pytest.mark.slow
def test_several_files_are_an_axis_that_can_grow(tmp_path, store):
    """Each is known by its own digest; what a smaller sweep leaves out is no change."""
    paths = []
    for seed in range(3):
        paths.append(str(tmp_path / f"net{seed}.npz"))
        np.savez(paths[-1], **arrays(seed))
    run_sweep(trained_sweep(*paths[:2]), store)
    assert run_sweep(trained_sweep(*paths[1:]), store).computed == 12
    recorded = json.loads(results(store).attrs["weights_sha256"])
    assert recorded == {path: weights_digest(path) for path in paths}
    assert run_sweep(trained_sweep(*paths), store).computed == 0
    errors = results(store).signal_error
    assert len(np.unique(errors.isel(m=2, trial=0))) == 3
    np.savez(paths[2], **arrays(9))
    with pytest.raises(UserError, match=r"SHA-256.*net2\.npz"):
        run_sweep(trained_sweep(*paths), store)


@pytest.mark.slow
@pytest.mark.cluster
def test_worker_processes_find_a_file_by_a_relative_path_with_the_same_results(
    tmp_path: Path, net: str
) -> None:
    """`genprior run` starts them in its own working directory."""
    write_sweep(trained_sweep("net.npz"), tmp_path / "net.toml")
    for scheduler in ("processes", "synchronous"):
        command = [GENPRIOR, "run", "net.toml", f"{scheduler}.zarr", "--scheduler", scheduler]
        ended = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, ended.stderr
    assert_same_results(tmp_path / "processes.zarr", tmp_path / "synchronous.zarr")


def block_of(store: Path, net: str, digest: str) -> BlockTask:
    info, kind = read_info(store), task_kind("recovery")
    wanted = np.ones(tuple(part.stop - part.start for part in info.layout.region((0, 0))), bool)
    needs = Needs(kind.name, kind.version)
    return BlockTask(
        store, info.revision, (0, 0), wanted, kind, needs, None, "run", weights={net: digest}
    )


def test_a_worker_with_another_file_writes_nothing(tmp_path, net, store):
    """Neither with one that differs nor without one, nor where it changes under the trials."""
    run_sweep(trained_sweep(net), store)
    before = results(store)
    with pytest.raises(UserError, match=r"SHA-256.* 000000000000"):
        run_block(block_of(store, net, "0" * 64))
    task = block_of(store, net, weights_digest(net))
    assert run_block(task).crashed == 0
    Path(net).unlink()
    with refused(UserError, os.strerror(errno.ENOENT)):
        run_block(task)
    assert results(store).drop_vars("seconds").identical(before.drop_vars("seconds"))


def test_a_file_that_changes_during_a_block_spoils_the_block_only(
    tmp_path, net, store, monkeypatch
):
    """Its trials are pending, as if it had never run."""
    from genprior.tasks.experiments import recovery

    def changing(made: Point, *rest: Any) -> dict[str, Any]:
        if made.m == 9:
            np.savez(net, **arrays(seed=1))
        return outcome(made, *rest)

    outcome = recovery.outcome
    monkeypatch.setattr(recovery, "outcome", changing)
    with pytest.raises(UserError, match="Give all workers the same file"):
        run_sweep(trained_sweep(net, blocks={"trials": 4}), store)
    status = results(store).status
    assert (status.sel(m=9) == 0).all()
    assert (status == 1).any()


def test_mistakes_end_in_one_line_before_anything_runs(
    genprior: Callable[..., Result], tmp_path: Path, net: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = 'axes.m = [4]\nparameters = {generator = "trained", weights = "%s", k = %d, depth = 2, '
    for weights, k in (("net.npz", 4), ("gone.npz", 3)):
        Path("net.toml").write_text(text % (weights, k) + "widths = [12, 20]}\n")
        for command in (("plan", "net.toml"), ("run", "net.toml", "net.zarr")):
            result = genprior(*command)
            assert result.exit_code == 2
            (line,) = result.stderr.splitlines()
            assert line.startswith(f"genprior: m=4: weights '{weights}'")
    assert not Path("net.zarr").exists()


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_a_files_shape_is_read_from_its_headers(tmp_path, monkeypatch, ending):
    """Also in PyTorch's names, and again once the file has changed."""
    path, a = tmp_path / f"net.{ending}", arrays()
    named = {"0.weight": a["weights_1"], "0.bias": a["biases_1"], "2.weight": a["weights_2"]}
    named |= {"2.bias": a["biases_2"], "codes": a["codes"].astype(np.float32)}

    def save() -> None:
        np.savez(path, **named) if ending == "npz" else save_file(named, path)

    save()
    with monkeypatch.context() as changed:
        changed.setattr(weights_files, "_read", None)
        changed.setenv("HOME", str(tmp_path))
        assert weights_shape(str(path)) == weights_shape(f"~/{path.name}") == (K, WIDTHS)
    named |= {"2.weight": np.ones((7, 12)), "2.bias": np.ones(7)}
    save()
    os.utime(path, ns=(3, 3))
    assert weights_shape(str(path)) == (K, (12, 7))


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_the_shape_of_a_damaged_file_is_refused_as_the_file_is(tmp_path, net, share):
    Path(net).write_bytes(Path(net).read_bytes()[: int(share * Path(net).stat().st_size)])
    with pytest.raises(ValueError, match=r"\.npz"):
        Point.model_validate({"generator": "trained", "weights": net, "m": 18})


@pytest.mark.slow
def test_a_sweep_may_leave_the_shape_to_the_files(
    genprior: Callable[..., Result], tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two files k is 3 and 5; the store keeps both, is extended, and is read without them."""
    monkeypatch.chdir(tmp_path)
    np.savez("three.npz", **arrays())
    wide = {"weights_1": np.random.default_rng(1).standard_normal((12, 5)), "codes": None}
    written(tmp_path, **wide)
    parameters = {"generator": "trained", "success.metric": "signal_error"}
    parameters |= {"solver.max_steps": 5}

    def sweep(*files: str, **changes: Any) -> Sweep:
        axes = {"m": [4, 9], "weights": list(files)}
        tables = {"task": "recovery", "axes": axes, "parameters": parameters, **changes}
        return tiny_sweep(**tables, trials=1)

    run_sweep(sweep("three.npz"), store)
    assert run_sweep(sweep("three.npz", "net.npz"), store).computed == 2
    filled = results(store)
    assert filled["k"].dims == ("weights",)
    assert filled["k"].values.tolist() == [3, 5]
    assert filled["widths"].values.tolist() == ["12-20"] * 2
    assert run_sweep(sweep("net.npz"), store).computed == 0
    for path in ("three.npz", "net.npz"):
        Path(path).unlink()
    assert Grid(read_info(store).sweep).point((0, 1)).k == 5
    assert genprior("fit", store).exit_code == 0


def test_a_fixed_file_gives_the_shape_that_may_be_given_too(net, store):
    """Whether k, depth and widths stand in the sweep or not, it is one experiment."""
    given = trained_sweep(net)
    written = given.as_dict()
    for name in ("k", "depth", "widths"):
        del written["parameters"][name]
    without = Sweep.parse(written)
    assert settled(Grid(without)) == settled(Grid(given)) == given
    assert run_sweep(without, store).computed == 12
    assert run_sweep(given, store).computed == 0
    assert run_sweep(without, store).computed == 0


def test_files_may_follow_an_axis_of_k(tmp_path, net):
    np.savez(tmp_path / "five.npz", weights_1=np.ones((9, 5)))
    files = {"3": net, "5": str(tmp_path / "five.npz")}
    written = {
        "axes": {"k": [3, 5]},
        "parameters": {"m": 4, "generator": "trained"},
        "dependent": {"weights": {"by": "k", "table": files}},
    }
    grid = Grid(Sweep.parse(written))
    assert [grid.point((i,)).widths for i in (0, 1)] == [(12, 20), (9,)]
    assert Grid(settled(grid)).point((1,)) == grid.point((1,))
    written["dependent"]["weights"]["table"]["5"] = net
    with pytest.raises(SweepError, match=r"k=5: .* k 3.* 5"):
        Grid(Sweep.parse(written)).point((1,))


# The page of the documentation


def test_the_page_lists_every_generator_with_its_parameters():
    """In two tables, each with a row a generator, and no other parameter than its class uses."""
    rows = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    made, kept = ({row[0].strip("| `"): row for row in rows if len(row) == size} for size in (4, 7))
    known = list(GENERATORS.built_in)
    assert [name for name in made if name != "generator"] == known
    assert [name for name in kept if name != "generator"] == known
    for name in known:
        expected = set(GENERATORS.built_in[name].uses)
        assert set(re.findall(r"`([^`]+)`", made[name][2])) == expected
    for name, generator in GENERATORS.built_in.items():
        assert kept[name][4].startswith("yes" if generator.has_mirror else "no")


@pytest.mark.slow
def test_the_digits_decoder_is_trained_and_its_sweep_file_runs(
    genprior: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Little training and a small grid; the decoder still beats the mean digit's 0.56.

    The sweep file it prints is the page's.
    """
    monkeypatch.chdir(tmp_path)
    printed = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    command = [sys.executable, str(SCRIPT), "digits.npz", "--epochs", "30", "--hidden", "20"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    errors = re.findall(r": (0\.\d+)$", ended.stdout, re.MULTILINE)
    assert float(errors[0]) < 0.56
    assert read_weights("digits.npz").widths == (20, 64)
    sweep = ended.stdout[ended.stdout.index("# digits.toml") :]
    assert sweep == printed
    Path("digits.toml").write_text(sweep)
    small = ("--set", "m=60", "--trials", "6", "--set", "solver.max_steps=3000")
    assert genprior("run", "digits.toml", "digits.zarr", *small).exit_code == 0
    assert results(tmp_path / "digits.zarr").success.mean() > 0.5
