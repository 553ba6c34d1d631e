"""The page on clusters: its commands run as they stand, and its profiles are profiles."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from helpers import ENVIRONMENT, GENPRIOR, PROJECT, recovery_sweep, results, write_sweep
from private_slurm import PrivateSlurm

from genprior.pipeline.executors.profiles import load_profile

PAGE = (PROJECT / "docs" / "clusters.md").read_text(encoding="utf-8")
STORES = ("mine", "chain", "array", "parts", "login", "salloc", "script", "hand")
PROFILE = '[slurm]\ninterface = "lo"\n'
HERE_ONLY = ("--protocol tls", "--protocol tls --host 127.0.0.1")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small sweep, and a profile for nodes that meet on loopback."""
    write_sweep(recovery_sweep(), tmp_path / "mine.toml")
    (tmp_path / "genprior").mkdir()
    (tmp_path / "genprior" / "clusters.toml").write_text(PROFILE)
    return tmp_path


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
def test_the_commands_of_the_page_complete_their_stores(slurm: PrivateSlurm, folder: Path) -> None:
    """Those that ask for a status come last, when every job has ended."""
    variables = {
        **ENVIRONMENT,
        **slurm.environment,
        "PATH": os.pathsep.join([str(GENPRIOR.parent), slurm.environment["PATH"]]),
        "XDG_CONFIG_HOME": str(folder),
        "DASK_JOBQUEUE__SLURM__INTERFACE": "lo",
    }
    commands = [block.replace(*HERE_ONLY) for block in blocks("bash")]
    last = [block for block in commands if block.startswith("genprior status")]
    (script,) = (block for block in commands if block.startswith("#!"))
    (folder / "job.sh").write_text(script)
    first = [block for block in commands if block not in (*last, script)]
    try:
        _bash("\n".join(["sbatch job.sh", *first]), folder, variables)
        slurm.until(lambda: not slurm.call("squeue", "-h"), 200, "jobs did not end")
        _bash("\n".join(last), folder, variables)
    finally:
        slurm.cancel_all()
    for name in STORES:
        assert (results(folder / f"{name}.zarr")["status"] == 1).all(), name


def _bash(text: str, folder: Path, variables: dict[str, str]) -> None:
    with (folder / "said").open("w+") as said:
        status = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], env=variables, cwd=folder, check=False,
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=500,
        ).returncode  # fmt: skip
    assert status == 0, (folder / "said").read_text()


def test_the_profiles_of_the_page_are_profiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (written,) = blocks("toml")
    (tmp_path / "genprior").mkdir()
    (tmp_path / "genprior" / "clusters.toml").write_text(written)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert list(tomllib.loads(written)) == ["slurm", "short"]
    assert load_profile("slurm").workers == 64
    assert load_profile(None, "short").seconds == 1800
