"""Profiles of batch systems: read from the user's file, from a file, from dask-jobqueue's own."""

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from helpers import assert_names, refused
from hypothesis import given
from hypothesis import strategies as st

from genprior.pipeline.executors.jobqueue_settings import system_seconds
from genprior.pipeline.executors.memory import WORKER_BYTES
from genprior.pipeline.executors.profiles import (
    Profile,
    ProfileError,
    load_profile,
    margin_of,
    system_walltime,
    walltime_seconds,
)
from genprior.pipeline.executors.schedulers import SYSTEMS

HOUR = 3600
GOOD = """
[slurm]
walltime = 02:00:00

[wide]
cluster = "slurm"
jobs = 16
cores = 8
memory = "24 GB"
directives = ["--gres=gpu:1"]

[night]
cluster = "pbs"
queue = "long"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file of profiles, which does not exist yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "genprior"
    folder.mkdir()
    return folder / "clusters.toml"


@pytest.mark.parametrize("system", SYSTEMS)
def test_without_a_profile_a_job_has_one_core_for_one_hour(file: Path, system: str) -> None:
    profile = load_profile(system)
    assert (profile.cluster, profile.jobs, profile.cores, profile.seconds) == (system, 1, 1, HOUR)
    # A worker, its libraries twice, the process that starts it again, and the trial: at 80 %.
    assert profile.job_bytes(0) >= 3 * WORKER_BYTES / 0.8
    assert profile.job_bytes(8e9) - profile.job_bytes(0) == pytest.approx(10e9, rel=1e-3)


def test_a_profile_is_the_table_that_is_named_or_that_of_the_system(file: Path) -> None:
    file.write_text(GOOD)
    assert load_profile("slurm").seconds == 2 * HOUR
    assert load_profile("pbs") == Profile(cluster="pbs")
    wide = load_profile(None, "wide")
    assert (wide.cluster, wide.workers, wide.job_bytes(1e12)) == ("slurm", 128, 24_000_000_000)
    assert load_profile("pbs", "night").queue == "long"


def test_a_profile_is_read_from_a_file_with_its_keys(file: Path, tmp_path: Path) -> None:
    alone = tmp_path / "mine.toml"
    alone.write_text('cluster = "lsf"\ncores = 4\nprocesses = 2\n')
    profile = load_profile(None, str(alone))
    assert (profile.cluster, profile.processes, profile.workers) == ("lsf", 2, 4)


def test_a_named_profile_that_is_missing_is_refused_with_the_names_that_exist(file: Path) -> None:
    with refused(ProfileError, "nihgt", file):
        load_profile("pbs", "nihgt")
    file.write_text(GOOD)
    with refused(ProfileError, "nihgt", file, "slurm, wide, night"):
        load_profile("pbs", "nihgt")
    with refused(ProfileError, "night", "pbs", "slurm"):
        load_profile("slurm", "night")


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("walltim = '1:00'", ["walltim", "walltime"]),
        ("walltime = '90'", ["walltime", "90"]),
        ("walltime = '00:00'", ["walltime"]),
        ("walltime = '1:60:00'", ["walltime"]),
        ("walltime = 90", ["walltime", "90"]),
        ("walltime = '999-9999:59:59'", ["walltime", "year"]),
        ("memory = '9999999999999 TB'", ["memory"]),
        ("jobs = 4096\ncores = 4096", ["4096 jobs", "workers"]),
        ("account = 'a -p other'", ["account", "one word"]),
        ("queue = '$(touch x)'", ["queue", "one word"]),
        ("walltime = 1979-05-27", ["walltime"]),
        ("lifetime = '01:00:00'", ["lifetime", "walltime"]),
        ("memory = 4", ["memory"]),
        ("memory = '4'", ["memory"]),
        ("memory = '1e9 GB'", ["memory"]),
        ("memory = '1 MB'", ["memory", "160 MB"]),
        ("cores = '4'", ["cores"]),
        ("cores = 0", ["cores"]),
        ("cores = 1\nprocesses = 2", ["processes", "cores"]),
        ("jobs = true", ["jobs"]),
        ("jobs = 1000000", ["jobs"]),
        ("cluster = 'slurn'", ["cluster", "slurn"]),
        ('queue = "a\\n#SBATCH --uid=0"', ["queue"]),
        ("queue = ' '", ["queue"]),
        ("directives = '--gres'", ["directives"]),
        ("directives = [1]", ["directives"]),
        ("options = []", ["options"]),
        ("requeue = 1", ["requeue"]),
        ("a = " + "[" * 5000 + "]" * 5000, ["nested"]),
        ("a." * 5000 + "a = 1", ["a key", "parts"]),
        ("cores = " + "9" * 5000, ["toml"]),
        ("cores = ", ["toml"]),
        ("\0", ["toml"]),
    ],
)
def test_a_mistake_in_a_profile_is_told_in_one_line(
    tmp_path: Path, written: str, named: list[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(written)
    with refused(ProfileError, file, *named):
        load_profile(None if "cluster" in written else "slurm", str(file))


def test_a_profile_that_is_no_text_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with (tmp_path / "long.toml").open("wb") as long:
        long.truncate(10_000_000_000)
    for name in ("folder", "bytes", "long", "missing"):
        with refused(ProfileError, f"{name}.toml"):
            load_profile("slurm", str(tmp_path / f"{name}.toml"))


def test_keys_outside_of_a_table_are_refused(file: Path) -> None:
    file.write_text("cores = 4\n[slurm]\n")
    with refused(ProfileError, file, "cores", "[slurm]"):
        load_profile("slurm")


@pytest.mark.slow
@given(st.text(max_size=60))
def test_any_text_is_a_profile_or_is_refused_in_one_line(text: str) -> None:
    """Values of every kind of key, and not only of valid TOML."""
    for key in ("walltime", "memory", "queue", "prologue"):
        value: Any = [text] if key == "prologue" else text
        refusal = ""
        try:
            Profile(**{"cluster": "slurm", key: value})
        except ValueError as error:
            refusal = str(error)
        assert key in refusal if refusal else "\n" not in text


def test_dask_jobqueue_s_own_configuration_counts_where_a_profile_is_silent(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {
        "QUEUE": "theirs", "CORES": "6", "WALLTIME": "90:00", "MEMORY": "6GB", "ACCOUNT": "lab",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"DASK_JOBQUEUE__SLURM__{key}", value)
    file.write_text(GOOD)
    night = load_profile("slurm", "wide")
    assert (night.queue, night.account, night.cores) == ("theirs", "lab", 8)
    # 90:00 is 90 minutes and 0 seconds in Slurm's way of writing.
    assert (night.seconds, night.job_bytes(0)) == (90 * 60, 24_000_000_000)
    assert load_profile("slurm").seconds == 2 * HOUR
    assert load_profile("pbs").queue is None
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__MEMORY", "much")
    with refused(ProfileError, "jobqueue.slurm", "memory", "much"):
        load_profile("slurm")


@given(st.integers(1, 40 * 24 * HOUR))
def test_every_wall_time_is_written_so_that_its_batch_system_reads_the_same(seconds: int) -> None:
    for system in ("slurm", "pbs", "sge", "oar"):
        assert system_seconds(system, system_walltime(system, seconds)) == seconds
    minutes = system_seconds("lsf", system_walltime("lsf", seconds))
    assert seconds <= minutes < seconds + 60
    assert walltime_seconds(system_walltime("slurm", seconds)) == seconds


@pytest.mark.parametrize(
    ("system", "text", "seconds"),
    [
        ("slurm", "90", 90 * 60), ("slurm", "90:30", 90 * 60 + 30), ("slurm", "1-2", 26 * HOUR),
        ("slurm", "1-2:30", 26.5 * HOUR), ("slurm", "1-0:0:1", 24 * HOUR + 1),
        ("lsf", "90", 90 * 60), ("lsf", "1:30", 90 * 60), ("pbs", "90", 90), ("sge", "1:30", 90),
        ("oar", "1:0:0", HOUR),
    ],
)  # fmt: skip
def test_wall_times_are_read_as_each_batch_system_does(
    system: str, text: str, seconds: float
) -> None:
    assert system_seconds(system, text) == seconds


def test_workers_leave_between_ten_seconds_and_two_minutes_before_the_end() -> None:
    """A twentieth of the wall time, within these limits."""
    assert [margin_of(s) for s in (60, 600, HOUR, 24 * HOUR)] == [10, 30, 120, 120]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--cluster", "slurn"], ["slurn", "slurm"]),
        (["--cluster", "slurm", "--profile", "nix"], ["nix", "clusters.toml"]),
        (["--profile", "nix.toml"], ["nix.toml"]),
        (["--cluster", "slurm", "--scheduler", "threads"], ["--cluster", "--scheduler"]),
        (["--profile", "nix", "--workers", "2"], ["--profile", "--workers"]),
        (["--scheduler", "threads", "--jobs", "2"], ["--jobs", "--cluster"]),
        (["--scheduler", "threads", "--dry-run"], ["--dry-run", "--cluster"]),
        (["--scheduler", "threads", "--insecure"], ["--insecure", "--cluster"]),
        (["--scheduler", "threads", "--tls-ca", "x"], ["--tls-ca"]),
        (["--cluster", "slurm", "--insecure", "--tls-ca", "x"], ["--tls-ca", "--insecure"]),
        (["--cluster", "slurm", "--tls-ca", "x", "--tls-cert", "x"], ["--tls-ca", "/x'"]),
        (["--cluster", "slurm", "--tls-cert", "x"], ["--tls-ca"]),
        (["--cluster", "oar"], ["oar", "oarsub"]),
    ],
)
def test_wrong_options_are_told_in_one_line_and_make_no_store(
    file: Path,
    genprior: Callable[..., Result],
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    named: list[str],
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    ended = genprior("run", "quickstart", store, *options)
    line = ended.stderr.strip().splitlines()[-1]
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert_names(line, "genprior: ", *named)
    assert list(store.parent.iterdir()) == []


def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    genprior: Callable[..., Result], store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    ended = genprior("run", "quickstart", store, "--cluster", "slurm", "--dry-run")
    assert ended.exit_code == 2
    assert_names(ended.stderr, "pip install 'genprior[cluster]'")


def test_what_a_cluster_needs_is_installed_with_the_extra_or_always() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert "dask-jobqueue" in " ".join(project["optional-dependencies"]["cluster"])
    assert "cryptography" in " ".join(project["dependencies"])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("partition", "queue"),
        ("mem", "memory"),
        ("time", "walltime"),
        ("wall-time", "walltime"),
        ("ntasks", "cores"),
        ("nodes", "jobs"),
        ("acount", "account"),
    ],
)
def test_the_names_of_batch_systems_are_explained(tmp_path: Path, written: str, meant: str) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(f'cluster = "slurm"\n{written} = "1"\n')
    with pytest.raises(ProfileError, match=f"unknown key '{written}'. Did you mean '{meant}'"):
        load_profile(None, str(profile))
