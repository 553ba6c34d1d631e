"""A class with a table of parameters, registered in a process whose workers do not have it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dask.distributed import Client, LocalCluster
from helpers import dask_cluster, results

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.executors.base import Executor
from genprior.store import read_info
from genprior.sweeps import Grid, Sweep
from genprior.tasks.problems import PROBLEMS

CELL = """
from genprior.sweeps.parameter import quantity
from genprior.sweeps.tables import Strict
from genprior.tasks.problems import Denoising

class Halves(Strict):
    share: float = quantity(0.5, "share of the data", gt=0, le=1, draws=True)

class Problem(Denoising):
    name = "NAME"
    table = ("halves", Halves)
    uses = ("noise.sigma",)
"""
SMALL = {"k": 2, "depth": 1, "widths": [12], "solver": {"max_steps": 20}}
UNRELATED: dict[str, Any] = {"name": "unrelated", "trials": 2, "axes": {"m": [4, 6]}}
UNRELATED |= {"parameters": SMALL}


def using(name: str) -> Sweep:
    parameters = {**SMALL, "problem": name}
    return Sweep.parse(
        {"trials": 2, "axes": {"halves.share": [0.25, 0.5, 1.0]}, "parameters": parameters}
    )


# Evaluated as text, because other processes cannot import this module.
KNOWN = (
    "[name for name in __import__('genprior.tasks.problems').tasks.problems.PROBLEMS._registered]"
)


@contextmanager
def registered(name: str) -> Iterator[type]:
    """Define the class as a cell of a notebook does; its module cannot be imported elsewhere."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(CELL.replace("NAME", name), names)
    gp.problem(names["Problem"])
    try:
        yield names["Problem"]
    finally:
        PROBLEMS.forget(name)


@pytest.mark.slow
@pytest.mark.cluster
def test_processes_run_sweeps_with_the_class_and_without(
    tmp_path: Path, processes: Executor
) -> None:
    """No `blocks.trials` is given: a pilot sends points to the workers before any block."""
    with registered("halved"):
        run_sweep(Sweep.parse(UNRELATED), tmp_path / "a.zarr", processes)
        run_sweep(using("halved"), tmp_path / "b.zarr", processes)
    assert (results(tmp_path / "a.zarr").status == 1).all()
    assert (results(tmp_path / "b.zarr").status == 1).all()
    with registered("renamed"):
        run_sweep(using("renamed"), tmp_path / "c.zarr", processes)
    assert (results(tmp_path / "c.zarr").status == 1).all()


@pytest.mark.slow
@pytest.mark.cluster
def test_a_scheduler_in_a_process_of_its_own_runs_them(tmp_path: Path) -> None:
    """It unpickles what is submitted, and has no class of the user's."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    with dask_cluster(folder) as (address, _), registered("halved"):
        for name, sweep in (("a", Sweep.parse(UNRELATED)), ("b", using("halved"))):
            gp.run(sweep, tmp_path / f"{name}.zarr", scheduler=address, progress=False)
            assert (results(tmp_path / f"{name}.zarr").status == 1).all()
        with Client(address) as client:
            assert client.run_on_scheduler(eval, KNOWN) == []
            assert client.submit(eval, KNOWN).result() == ["halved"]


@pytest.mark.slow
@pytest.mark.cluster
def test_a_client_of_the_caller_runs_them(tmp_path: Path) -> None:
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            memory_limit=None,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
        ) as made,
        Client(made) as client,
        registered("halved"),
    ):
        for name, sweep in (("a", Sweep.parse(UNRELATED)), ("b", using("halved"))):
            gp.run(sweep, tmp_path / f"{name}.zarr", client=client, progress=False)
            assert (results(tmp_path / f"{name}.zarr").status == 1).all()


def test_a_class_that_a_sweep_does_not_name_is_no_part_of_it(tmp_path: Path) -> None:
    """Neither of its hash, nor of its store, which is continued without the class."""
    store = tmp_path / "s.zarr"
    alone = Sweep.parse(UNRELATED).hash
    with registered("halved"):
        assert Sweep.parse(UNRELATED).hash == alone
        run_sweep(Sweep.parse(UNRELATED), store)
        assert "halves.share" not in results(store).coords
    assert "halves.share" not in read_info(store).sweep.parameters
    assert run_sweep(Sweep.parse({**UNRELATED, "trials": 3}), store).computed == 2


def test_a_table_of_a_class_that_a_sweep_does_not_name_is_refused() -> None:
    with registered("halved"), pytest.raises(gp.UserError, match=r"'halves\.share'"):
        Sweep.parse({**UNRELATED, "parameters": {**SMALL, "halves.share": 0.25}})


def test_an_axis_of_problems_has_the_tables_of_all_of_them() -> None:
    with registered("halved"):
        axes = {"problem": ["inversion", "halved"], "halves.share": [0.5, 1.0]}
        grid = Grid(Sweep.parse({"axes": axes, "parameters": SMALL}))
        assert grid.point((1, 1)).halves.share == 1.0
