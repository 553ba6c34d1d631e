"""Notebooks in a real Jupyter kernel: the one of the documentation, and how a cell shows a run."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from helpers import PROJECT
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
NOTEBOOK = PROJECT / "docs" / "notebooks" / "first-steps.ipynb"
SECOND = NOTEBOOK.with_name("reading-a-store.ipynb")
SECONDS = 240  # a cell may take, on a machine that others use as well
SWEEP = """
import genprior as gp
sweep = gp.load_sweep("quickstart").override(["k=2,4", "m=8,16", "trials=2", "blocks.trials=2"])
"""


def executed(folder: Path, *cells: str) -> list[list[Any]]:
    """Run cells in a new kernel; give the outputs of each."""
    code = [nbformat.v4.new_code_cell(source) for source in cells]
    notebook = nbformat.v4.new_notebook(cells=code)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=SECONDS, resources=resources).execute()
    return [cell.outputs for cell in notebook.cells]


def images(outputs: list[Any]) -> int:
    """How many pictures a cell shows."""
    return sum("image/png" in output.get("data", {}) for output in outputs)


def check_first_steps(notebook: Any) -> None:
    """What the outputs of the first notebook say."""
    cells = {cell["id"]: cell for cell in notebook.cells}
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert {output["output_type"] for output in outputs} == {"display_data", "execute_result"}
    assert images(outputs) == images(cells["step-14"]["outputs"]) == 1
    assert "trials  180\n" in cells["step-3"]["outputs"][0]["data"]["text/plain"]
    bar, summary = cells["step-5"]["outputs"]
    assert '<progress value="1.0000" max="1"' in bar["data"]["text/html"]
    assert "180 of 180 done, 0 crashed\n" in summary["data"]["text/plain"]
    shares = cells["step-7"]["outputs"][0]["data"]["text/plain"].splitlines()[2:]
    rows = [list(map(float, line.split())) for line in shares]
    assert [row[0] for row in rows] == [4, 8, 12]
    for _, *row in rows:
        assert row[0] == 0  # m = 4 tells too little of four numbers
        assert row[-1] > 0.8
    text = cells["step-12"]["outputs"][0]["data"]["text/plain"]
    points = {int(k): float(m) for k, m in re.findall(r"^(\d+) +([\d.]+)$", text, re.MULTILINE)}
    assert 4 < points[4] < points[8] < points[12] < 36


@pytest.mark.slow
def test_the_first_notebook_runs(tmp_path: Path) -> None:
    """As it is stored, and run again: the same cells say the same of the same draws."""
    stored = nbformat.read(NOTEBOOK, as_version=4)
    check_first_steps(stored)
    assert stored.metadata["kernelspec"]["name"] == "python3"
    assert not {"host", "/root", "/tmp"} & set(json.dumps(stored).replace('"', " ").split())
    again = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(again, timeout=SECONDS, resources=resources).execute()
    check_first_steps(again)
    assert (tmp_path / "first-steps.zarr").is_dir()


def check_reading_a_store(notebook: Any) -> None:
    """What the outputs of the second notebook say."""
    outputs = {cell["id"]: cell.get("outputs", ()) for cell in notebook.cells}
    texts = {
        name: "".join(o.get("text", "") or o["data"].get("text/plain", "") for o in found)
        for name, found in outputs.items()
    }
    every = [output for found in outputs.values() for output in found]
    assert "1,280 of 1,280 done" in texts["step-2"]
    assert "dask.array" in texts["step-4"]
    assert texts["step-8"].startswith("(0, ")  # Gaussian rows and signs do not differ
    gained = [list(map(int, line.split())) for line in texts["step-12"].splitlines()[2:]]
    assert sum(row[1] for row in gained) > 10 * sum(row[2] for row in gained)
    exponent, low, high = map(float, re.findall(r"\d\.\d\d", texts["step-14"]))
    assert 0.4 < low < exponent < high < 1.6
    assert images(every) == images(outputs["step-16"]) == 1


@pytest.mark.slow
def test_the_second_notebook_runs(tmp_path: Path) -> None:
    stored = nbformat.read(SECOND, as_version=4)
    check_reading_a_store(stored)
    assert not {"host", "/root", "/tmp"} & set(json.dumps(stored).replace('"', " ").split())
    again = nbformat.read(SECOND, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(again, timeout=SECONDS, resources=resources).execute()
    check_reading_a_store(again)


@pytest.mark.slow
def test_a_cell_shows_a_run_once_and_a_figure_once(tmp_path: Path) -> None:
    """Also where pyplot shows figures of its own below the cell."""
    run, silent, threads, figure, with_pyplot = executed(
        tmp_path,
        SWEEP + "summary = gp.run(sweep, 's.zarr', scheduler='synchronous')",
        "summary = gp.run(sweep, 't.zarr', scheduler='synchronous', progress=False)",
        "summary = gp.run(sweep, 'u.zarr', scheduler='threads', workers=2)",
        "gp.plot('s.zarr')",
        "%matplotlib inline\nfrom matplotlib import pyplot\ngp.plot('s.zarr')",
    )
    for shown in (run, threads):
        (bar,) = shown
        assert 'value="1.0000" max="1"' in bar["data"]["text/html"]
    assert silent == []
    assert [len(figure), images(figure)] == [1, 1]
    assert [len(with_pyplot), images(with_pyplot)] == [1, 1]


@pytest.mark.slow
def test_a_refused_run_leaves_no_bar(tmp_path: Path) -> None:
    """The error is below the cell; a bar that never moves would be above it."""
    _, refused, shown = executed(
        tmp_path,
        SWEEP + "gp.run(sweep, 's.zarr', scheduler='synchronous', progress=False);",
        """
try:
    gp.run(sweep.override("seed=99"), 's.zarr', scheduler='synchronous')
except gp.UserError as error:
    print(error)
""",
        "sweep",
    )
    assert any("seed" in output.get("text", "") for output in refused)
    assert not any("progress" in str(output.get("data")) for output in refused)
    assert "<table>" in shown[0]["data"]["text/html"]
    assert shown[0]["data"]["text/plain"].startswith("<Sweep quickstart: recovery over k (2) ×")


@pytest.mark.slow
def test_fits_are_shown_once_as_tables(tmp_path: Path, undisturbed: Path) -> None:
    """As the value of a cell, and as text; the tables do not appear below the cell as well."""
    shutil.copytree(undisturbed, tmp_path / "s.zarr")
    value, text, printed, silent = executed(
        tmp_path,
        "import genprior as gp\nfits = gp.fit('s.zarr')\nfits",
        "str(fits)",
        "print(fits)",
        "text = str(fits), fits._repr_html_()",
    )
    (shown,) = value
    assert "50 % point" in shown["data"]["text/html"]
    (quoted,) = text
    assert quoted["output_type"] == "execute_result"
    assert "50 % point" in quoted["data"]["text/plain"]
    (stream,) = printed
    assert "50 % point" in stream["text"]
    assert silent == []


@pytest.mark.slow
def test_processes_work_from_a_cell(tmp_path: Path) -> None:
    (shown,) = executed(
        tmp_path,
        SWEEP + "print(gp.run(sweep, 's.zarr', workers=1, progress=False).computed)",
    )
    assert [output["text"] for output in shown] == ["8\n"]


LONG = """
import os, signal, threading, time
import genprior as gp
sweep = gp.load_sweep("quickstart").override(["k=4", "m=8", "trials=4000", "blocks.trials=4"])

def interrupt():
    while not any(os.scandir("long.zarr/status/c") if os.path.isdir("long.zarr/status/c") else ()):
        time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)  # as the kernel's stop button does

threading.Thread(target=interrupt, daemon=True).start()
gp.run(sweep, "long.zarr", scheduler=SCHEDULER, workers=WORKERS)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("scheduler", "workers"), [("synchronous", None), ("processes", 1)])
def test_a_stopped_cell_keeps_what_is_finished(
    tmp_path: Path, scheduler: str, workers: int | None
) -> None:
    """Later cells of "run all" are not run; the store goes on from there in the same kernel."""
    code = LONG.replace("SCHEDULER", repr(scheduler)).replace("WORKERS", repr(workers))
    with pytest.raises(CellExecutionError) as stopped:
        executed(tmp_path, code)
    assert stopped.value.ename == "KeyboardInterrupt"
    (after,) = executed(
        tmp_path,
        """
import genprior as gp
held = gp.status("long.zarr").trials
sweep = gp.load_sweep("quickstart").override(["k=4", "m=8", "trials=4", "blocks.trials=4"])
again = gp.run(sweep, "long.zarr", scheduler="synchronous", progress=False)
print(0 < held.done < 4000, held.done + held.pending, held.crashed, again.already_done)
""",
    )
    assert after[0]["text"].split() == ["True", "4000", "0", "4"]


CLASSES = """
import numpy as np
from genprior.tasks.problems import Denoising
from genprior.tasks.solvers import Subgradient

@gp.problem
class Halved(Denoising):
    name = "halved"

    @classmethod
    def draw(cls, point, signal, streams):
        return cls(0.5 * signal)

@gp.solver
class Short(Subgradient):
    name = "short"
"""
THEIRS = """
sweep = gp.Sweep.parse({"trials": 2, "axes": {"k": [1, 2]}, "parameters": {
    "depth": 1, "widths": [20], "problem": "halved", "solver.method": "short",
    "solver.max_steps": 300, "success.metric": "signal_error"}})
gp.run(sweep, "theirs.zarr", workers=2, progress=False)
float(gp.open("theirs.zarr").load().signal_error.median())
"""


@pytest.mark.slow
def test_classes_of_a_cell_run_in_local_workers(tmp_path: Path) -> None:
    """They are in no module; what is recovered is half of the signal."""
    *_, outputs = executed(tmp_path, SWEEP, CLASSES, THEIRS)
    assert float(outputs[-1]["data"]["text/plain"]) == pytest.approx(0.5, abs=0.1)
