"""Scripts of worker jobs, as `--dry-run` shows them: compared with stored texts."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from helpers import assert_names

from genprior.pipeline.executors.jobqueue import cluster_class, job_script
from genprior.pipeline.executors.profiles import Profile, load_profile
from genprior.pipeline.executors.schedulers import SYSTEMS

GOLDEN = Path(__file__).parent / "job_scripts"
WIDE = """
cluster = "{system}"
jobs = 10
cores = 4
processes = 2
memory = "6 GB"
walltime = "1-12:30"
interface = "ib0"
local_directory = "/scratch"
log_directory = "/logs"
shared_directory = "/shared"
python = "/opt/python/bin/python"
prologue = ["module load gcc", "source /opt/site.sh"]
directives = ["{directive}"]
skip = ["{skip}"]
"""
QUEUE = """
queue = "long"
account = "lab"
"""
DIRECTIVES = {
    "slurm": ("--gres=gpu:1", "--cpus-per-task"),
    "pbs": ("-m n", "-N"),
    "sge": ("-pe smp 4", "-j y"),
    "lsf": ("-x", "-P"),
    "htcondor": ("+Project = lab", "Stream_Error"),
    "oar": ("-t besteffort", "--project"),
}


@pytest.fixture(autouse=True)
def _no_profiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("LSF_ENVDIR", "LSF_CONFDIR", "PBS_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")


def neutral(script: str, folder: Path) -> str:
    """Replace what differs between machines."""
    return script.replace(str(folder), "/home/user").replace(sys.executable, "/usr/bin/python3")


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_job_script_is_the_stored_one(
    genprior: Callable[..., Result], tmp_path: Path, system: str
) -> None:
    """First without a profile, then with one that sets everything.

    No batch system is installed here, nothing is started, and no store and no folder is made. After
    a wanted change of the scripts, replace the stored ones by those that this prints.
    """
    directive, skip = DIRECTIVES[system]
    profile = tmp_path / "wide.toml"
    written = WIDE.format(system=system, directive=directive, skip=skip)
    profile.write_text(written + ("" if system == "htcondor" else QUEUE))
    before = sorted(tmp_path.rglob("*"))
    scripts = ""
    for options in (["--cluster", system], ["--profile", profile]):
        shown = genprior("run", "quickstart", tmp_path / "quick.zarr", *options, "--dry-run")
        assert (shown.exit_code, shown.stderr) == (0, "")
        scripts += neutral(shown.stdout, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    print(scripts)
    assert scripts == (GOLDEN / f"{system}.txt").read_text()


@pytest.mark.parametrize("system", SYSTEMS)
def test_workers_come_with_certificates_and_show_their_page_to_nobody(system: str) -> None:
    script = job_script(Profile(cluster=system), 10**9, "/f", None)  # type: ignore[arg-type]
    assert_names(script, "tcp://", "-m genprior.pipeline.executors.job_worker")
    assert "tls" not in script


def test_slurm_starts_no_job_again_unless_the_profile_says_so() -> None:
    assert "--no-requeue" in job_script(Profile(cluster="slurm"), 10**9, "/f", None)
    again = Profile(cluster="slurm", requeue=True)
    assert "requeue" not in job_script(again, 10**9, "/f", None)


def test_workers_leave_before_the_wall_time_ends() -> None:
    """Two margins before it, give or take one: a block that runs then can end."""
    hour = job_script(Profile(cluster="slurm"), 10**9, "/f", None)
    assert_names(hour, "--lifetime 3360s --lifetime-stagger 120s")
    short = job_script(Profile(cluster="slurm", walltime="0:01"), 10**9, "/f", None)
    assert_names(short, "--lifetime 40s --lifetime-stagger 10s")
    own = Profile(cluster="htcondor", lifetime="0:30")
    assert_names(job_script(own, 10**9, "/f", None), "--lifetime 1800s")


def test_dask_jobqueue_s_own_configuration_reaches_the_script(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The user's values count, and those that dask-jobqueue ships do not: its half an hour."""
    monkeypatch.setenv("DASK_JOBQUEUE__PBS__QUEUE", "theirs")
    monkeypatch.setenv("DASK_JOBQUEUE__PBS__WORKER_EXTRA_ARGS", "['--resources', 'gpu=1']")
    monkeypatch.setenv("DASK_JOBQUEUE__PBS__NAME", "theirs-too")
    script = job_script(load_profile("pbs"), 10**9, "/f", None)
    assert_names(script, "-q theirs", "--resources gpu=1", "-N theirs-too", "walltime=01:00:00")


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ('options = {security = "x"}', ["options.security"]),
        ('options = {nonsense = "x"}', ["nonsense"]),
        ('options = {memory = "x"}', ["--cluster slurm"]),
        ('log_directory = "/a b"', ["/a b", "log_directory"]),
        ('log_directory = "/a;rm -rf x"', ["rm -rf", "log_directory"]),
    ],
)
def test_what_a_job_script_cannot_hold_is_refused_in_one_line(
    genprior: Callable[..., Result], store: Path, tmp_path: Path, written: str, named: list[str]
) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(f'cluster = "slurm"\n{written}\n')
    ended = genprior("run", "quickstart", store, "--profile", profile, "--dry-run")
    assert (ended.exit_code, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)
    assert_names(ended.stderr, "genprior: ", *named)


def test_a_store_in_a_folder_with_a_space_needs_another_shared_folder(
    genprior: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "my data").mkdir()
    store = tmp_path / "my data" / "q.zarr"
    ended = genprior("run", "quickstart", store, "--cluster", "slurm", "--dry-run")
    assert ended.exit_code == 2
    assert_names(ended.stderr, "jobs.XX", "shared_directory")


def test_importing_dask_jobqueue_leaves_ctrl_c_as_it_was() -> None:
    """It handles SIGINT from its import on; a process of its own has not imported it yet."""
    code = """
import signal
from genprior.pipeline.executors.jobqueue import import_jobqueue
before = signal.getsignal(signal.SIGINT)
import_jobqueue()
assert signal.getsignal(signal.SIGINT) is before
import dask_jobqueue.runner
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert cluster_class("slurm").__name__ == "SLURMCluster"
