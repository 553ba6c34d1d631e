"""`run --cluster` with batch systems that are played: their jobs are processes of this machine."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers import (
    ENVIRONMENT,
    GENPRIOR,
    assert_names,
    assert_same_results,
    recovery_sweep,
    write_sweep,
)

from genprior.pipeline import interrupts
from genprior.pipeline.executors.batch import INSECURE, open_batch
from genprior.pipeline.executors.profiles import Profile

START = """#!/bin/sh
# The id of a job is that of its process group.
cat {source} > "{folder}/$$.sh"
count=$(($(cat {folder}/count) + 1))
echo $count > {folder}/count
{first}
setsid sh "{folder}/$$.sh" > /dev/null 2> {folder}/job.err < /dev/null &
echo $! >> {folder}/jobs
echo {said}
"""
CANCEL = """#!/bin/sh
echo "$@" >> {folder}/cancelled
for job; do kill -TERM -- -$job 2> /dev/null; done
exit 0
"""
SQUEUE = """#!/bin/sh
for job in $(cat {folder}/jobs); do kill -0 $job 2> /dev/null && echo "$job|RUNNING|None"; done
exit 0
"""
# What submits, where it reads the script, what it says then, and what cancels.
SYSTEMS = {
    "slurm": ("sbatch", '"$1"', '"Submitted batch job $!"', "scancel"),
    "pbs": ("qsub", '"$1"', '"$!.server"', "qdel"),
    "sge": ("qsub", '"$1"', "\"Your job $! ('genprior') has been submitted\"", "qdel"),
    "lsf": ("bsub", "", '"Job <$!> is submitted to default queue"', "bkill"),
    "oar": ("oarsub", "", '"OAR_JOB_ID=$!"', "oardel"),
}
INLINE = 'for script; do :; done; echo "$script" > "{folder}/$$.sh"'  # OAR's last argument


@dataclass(frozen=True)
class Played:
    """A batch system that is played.

    Attributes:
        system: its name.
        folder: where its commands, and what they note, are.
    """

    system: str
    folder: Path

    def run(self, store: Path, *options: object) -> "subprocess.CompletedProcess[str]":
        """Run real recoveries in worker jobs of one core, on loopback."""
        profile = self.folder / "profile.toml"
        profile.write_text(f'cluster = "{self.system}"\ninterface = "lo"\n')
        sweep = write_sweep(recovery_sweep(), self.folder / "tiny.toml")
        command = [GENPRIOR, "run", sweep, store, "--profile", profile, *options]
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            list(map(str, command)), env={**ENVIRONMENT, "PATH": path}, cwd=self.folder, text=True,
            capture_output=True, check=False, timeout=180, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    @property
    def jobs(self) -> list[str]:
        """Ids of the jobs that were started."""
        return (self.folder / "jobs").read_text().split()

    def play(self, first: str = "") -> "Played":
        """Write the commands; the first thing that a submission does may be set."""
        submit, source, said, cancel = SYSTEMS[self.system]
        (self.folder / "bin").mkdir()
        (self.folder / "count").write_text("0\n")
        (self.folder / "jobs").touch()
        start = START.format(folder=self.folder, source=source, said=said, first=first)
        if self.system == "oar":
            lines = start.splitlines()
            start = "\n".join([*lines[:2], INLINE.format(folder=self.folder), *lines[3:], ""])
        texts = {submit: start, cancel: CANCEL, "squeue": SQUEUE}
        for name, text in texts.items():
            command = self.folder / "bin" / name
            command.write_text(text if name == submit else text.format(folder=self.folder))
            command.chmod(0o755)
        return self


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Played]:
    """A Slurm that is played, without its commands yet."""
    yield (played := Played("slurm", tmp_path))
    end(played)


def end(played: Played) -> None:
    for job in played.jobs:
        with suppress(ProcessLookupError):
            os.killpg(int(job), signal.SIGKILL)


@pytest.mark.cluster
@pytest.mark.parametrize(
    "system",
    ["slurm", *(pytest.param(name, marks=pytest.mark.slow) for name in SYSTEMS if name != "slurm")],
)
def test_a_run_in_worker_jobs_gives_the_results_of_one_process(
    system: str, tmp_path: Path, store: Path, recovered: Path
) -> None:
    """And cancels its job at the end, with one command for all."""
    played = Played(system, tmp_path).play()
    try:
        ended = played.run(store)
        assert ended.returncode == 0, ended.stderr
    finally:
        end(played)
    assert_same_results(store, recovered)
    assert (tmp_path / "cancelled").read_text().split() == played.jobs
    assert [path for path in store.parent.iterdir() if ".jobs." in path.name] == []


@pytest.mark.slow
@pytest.mark.cluster
def test_a_job_that_ends_before_its_worker_arrives_is_replaced(
    slurm: Played, store: Path, recovered: Path
) -> None:
    """The first job ends at once, and the next one computes everything."""
    slurm.play(f'[ $count = 1 ] && echo "exit 1" > "{slurm.folder}/$$.sh"')
    ended = slurm.run(store)
    assert ended.returncode == 0, ended.stderr
    assert len(slurm.jobs) == 2
    assert_same_results(store, recovered)


@pytest.mark.slow
@pytest.mark.cluster
def test_a_submission_that_fails_is_tried_again(
    slurm: Played, store: Path, recovered: Path
) -> None:
    slurm.play("[ $count = 1 ] && { echo 'sbatch: error: Socket timed out' >&2; exit 1; }")
    ended = slurm.run(store)
    assert ended.returncode == 0, ended.stderr
    assert (slurm.folder / "count").read_text() == "2\n"
    assert_same_results(store, recovered)


@pytest.mark.slow
@pytest.mark.cluster
def test_submissions_that_always_fail_end_the_run_with_the_batch_system_s_words(
    slurm: Played, store: Path
) -> None:
    """After three of them."""
    slurm.play("echo 'sbatch: error: Invalid account' >&2; exit 1")
    ended = slurm.run(store)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert_names(ended.stderr.strip().splitlines()[-1], "--cluster slurm", "Invalid account")
    assert (slurm.folder / "count").read_text() == "3\n"
    assert not store.exists()


@pytest.mark.slow
@pytest.mark.cluster
def test_without_encryption_the_run_says_so(slurm: Played, store: Path, recovered: Path) -> None:
    slurm.play()
    ended = slurm.run(store, "--insecure")
    assert ended.returncode == 0, ended.stderr
    assert_names(ended.stderr, "--insecure", "not encrypted")
    assert "tls" not in next(slurm.folder.glob("*.sh")).read_text()
    assert_same_results(store, recovered)


@pytest.mark.cluster
def test_ctrl_c_while_the_scheduler_starts_ends_the_command_and_submits_nothing(
    slurm: Played, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask_jobqueue

    start = dask_jobqueue.SLURMCluster.__init__

    def interrupted(cluster: dask_jobqueue.SLURMCluster, **settings: Any) -> None:
        start(cluster, **settings)
        signal.raise_signal(signal.SIGINT)

    slurm.play()
    monkeypatch.setattr(dask_jobqueue.SLURMCluster, "__init__", interrupted)
    monkeypatch.setenv("PATH", f"{slurm.folder / 'bin'}:{os.environ['PATH']}")
    profile, told = Profile(cluster="slurm", interface="lo"), []
    handlers = {kind: signal.getsignal(kind) for kind in interrupts.SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with (
            interrupts.terminable(),
            pytest.raises(KeyboardInterrupt),
            open_batch(profile, 10**8, store, told.append, secure=False),
        ):
            told.append("ready")
    finally:
        for kind, handler in handlers.items():
            signal.signal(kind, handler)
    assert told == [INSECURE, "stopping"]
    assert slurm.jobs == []
