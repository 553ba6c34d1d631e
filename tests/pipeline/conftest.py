"""Fixtures of the tests of the pipeline."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import xarray as xr
from spread_analysis import Spread

from genprior.pipeline.analyses import Analysis, Request, analyses, forget, register

SRUN = """#!{python}
import os, subprocess, sys
options = [word for word in sys.argv[1:] if word.startswith("--")]
command = sys.argv[1 + len(options):]
(tasks,) = (int(word[9:]) for word in options if word.startswith("--ntasks="))
told = sys.stdin.buffer.read()
started = [
    subprocess.Popen(command, stdin=subprocess.PIPE, env=dict(os.environ, SLURM_PROCID=str(task)))
    for task in range(tasks)
]
for process in started:
    process.stdin.write(told)
    process.stdin.close()
sys.exit(max(process.wait() for process in started))
"""


@pytest.fixture
def spread() -> Iterator[type[Spread]]:
    """The analysis from outside, registered until the test ends."""
    yield register(Spread)
    forget("spread")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the analyses that are computed, one a time."""
    calls: list[str] = []

    def counted(kind: type[Analysis]) -> Callable[[Analysis, Request], xr.Dataset]:
        compute = kind.compute

        def wrapped(self: Analysis, request: Request) -> xr.Dataset:
            calls.append(self.name)
            return compute(self, request)

        return wrapped

    for analysis in analyses():
        monkeypatch.setattr(type(analysis), "compute", counted(type(analysis)))
    return calls


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The inside of a job of two tasks; give its `srun`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    srun = folder / "srun"
    srun.write_text(SRUN.format(python=sys.executable))
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    variables = {"_JOB_ID": "12", "_NTASKS": "2", "_JOB_NUM_NODES": "1", "D_NODENAME": "n1"}
    for name, value in variables.items():
        monkeypatch.setenv(f"SLURM{name}", value)
    return srun
