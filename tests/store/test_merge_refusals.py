"""What a merge of stores refuses, naming it, and what an interrupted one leaves: nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from helpers import ENVIRONMENT, Scripted, files, flip_bit, neighbours, refused
from hostile_changes import bomb

from genprior.pipeline.upkeep.merge import MergeError, merge_paths
from genprior.store import StoreError, WrongStoreError
from genprior.store.holders import held_for_run

Run = Any


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (["seed=8"], ["'seed'", "7", "8"]),
        (["widths=13"], ["'widths'"]),
    ],
)
def test_other_experiments_are_refused(
    run: Run, out: Path, changed: list[str], named: list[str]
) -> None:
    first, second = run("a", "k=2"), run("b", "k=4", *changed)
    with refused(WrongStoreError, first, second, *named):
        merge_paths([first, second], out)
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["success", "latent_error", "iterations"])
def test_a_trial_with_two_results_is_refused(run: Run, out: Path, name: str) -> None:
    """One last bit, in the trial (4, 7, 2) of the second store."""
    first, second = run("a", "k=2,4"), run("b", "k=4,6")
    array = zarr.open_group(second, mode="r+", use_consolidated=False)[name]
    value = array[0, 2, 2]
    bits = np.atleast_1d(value).view(f"u{array.dtype.itemsize}") ^ 1
    array[0, 2, 2] = bits.view(array.dtype)[0]
    before = files(first), files(second)
    with refused(WrongStoreError, f"'{name}'", "k=4, m=7, trial=2", first, second):
        merge_paths([first, second], out)
    assert list(out.parent.iterdir()) == []
    assert (files(first), files(second)) == before


def test_what_the_user_put_there_is_refused_by_name_if_it_differs(run: Run, out: Path) -> None:
    first, second = run("a", "k=2"), run("b", "k=4")
    (first / "notes.txt").write_text("mine")
    (second / "notes.txt").write_text("other")
    with refused(StoreError, first / "notes.txt", second / "notes.txt"):
        merge_paths([first, second], out)
    assert list(out.parent.iterdir()) == []


def test_a_pipe_of_the_user_is_refused_by_name(run: Run, out: Path) -> None:
    first, second = run("a", "k=2"), run("b", "k=4")
    os.mkfifo(second / "pipe")
    with refused(StoreError, second / "pipe"):
        merge_paths([first, second], out)
    assert list(out.parent.iterdir()) == []


def test_an_array_of_the_user_along_a_growing_axis_is_refused(run: Run, out: Path) -> None:
    first, second = run("a", "k=2"), run("b", "k=4")
    zarr.open_group(first, mode="r+", use_consolidated=False).create_array(
        "mine", shape=(1,), dtype="int8", dimension_names=("k",)
    )
    with refused(StoreError, first / "mine", "k"):
        merge_paths([first, second], out)


def test_damage_in_a_store_is_named_and_nothing_is_left(run: Run, out: Path) -> None:
    """A wrong bit in a chunk that would be shared, and a chunk that is missing."""
    first, second = run("a", "k=2"), run("b", "k=6")
    chunk = second / "latent_error" / "c" / "0" / "0" / "0"
    flip_bit(chunk)
    with refused(StoreError, chunk):
        merge_paths([first, second], out)
    chunk.unlink()
    with refused(StoreError, chunk):
        merge_paths([first, second], out)
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("kind_of_bomb", ["honest", "silent", "lying"])
def test_a_bomb_is_not_passed_on(run: Run, out: Path, kind_of_bomb: str) -> None:
    """Its checksum is right, and its block would be shared."""
    first, second = run("a", "k=2"), run("b", "k=6")
    bomb(kind_of_bomb)(second)
    with refused(StoreError, second):
        merge_paths([first, second], out)
    assert list(out.parent.iterdir()) == []


def test_a_store_that_is_being_written_is_refused(run: Run, out: Path) -> None:
    first, second = run("a", "k=2"), run("b", "k=4")
    with held_for_run(second), refused(StoreError, second, f"process {os.getpid()}"):
        merge_paths([first, second], out)
    assert not out.exists()
    merge_paths([first, second], out)


def test_an_interrupted_merge_leaves_nothing(run: Run, out: Path) -> None:
    first, second = run("a", "k=2"), run("b", "k=4")

    def interrupt(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge_paths([first, second], out, listen=interrupt)
    assert list(out.parent.iterdir()) == []
    assert neighbours(first) == [second.name]


def test_wrong_paths_are_refused(run: Run, out: Path, tmp_path: Path) -> None:
    first, second = run("a", "k=2"), run("b", "k=4")
    link = tmp_path / "link.zarr"
    link.symlink_to(first)
    wrong: list[tuple[list[Path], Path, type[WrongStoreError | MergeError]]] = [
        ([first], out, MergeError),
        ([first, first], out, MergeError),
        ([first, link], out, MergeError),
        ([first, second], second, MergeError),
        ([first, second], first / "inner.zarr", MergeError),
        ([first, second], tmp_path / "calls", MergeError),
        ([first, tmp_path / "absent.zarr"], out, WrongStoreError),
        ([first, tmp_path / "calls"], out, WrongStoreError),
        ([first, second], Path("/"), MergeError),
    ]
    for paths, target, error in wrong:
        with refused(error):
            merge_paths(paths, target)
        assert error.exit_status == 2
    assert list(out.parent.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from genprior.store import merge
from genprior.pipeline.upkeep.merge import merge_paths
from genprior.tasks import EXPERIMENTS
from helpers import Scripted

EXPERIMENTS.built_in["scripted"] = Scripted(sys.argv[1]).as_class()
merge.appear = lambda area, path: os.kill(os.getpid(), signal.SIGKILL)
merge_paths([Path(sys.argv[2]), Path(sys.argv[3])], Path(sys.argv[4]))
"""


@pytest.mark.slow
def test_a_killed_merge_leaves_what_the_next_one_clears(
    run: Run, kind: Scripted, out: Path
) -> None:
    """It is killed when the new store is complete and has not appeared yet."""
    first, second = run("a", "k=2"), run("b", "k=4")
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, kind.folder, first, second, out],
        env=ENVIRONMENT, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL
    assert not out.exists()
    assert len(list(out.parent.iterdir())) == 2  # a work area and the record of the merge
    assert merge_paths([first, second], out).trials.done == 32
    assert neighbours(out) == []
    assert neighbours(first) == [second.name]
