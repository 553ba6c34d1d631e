"""What `status` and `submit` say of an earlier submission, with commands that play Slurm."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from helpers import Scripted, assert_names, tiny_sweep, write_sweep

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.batch.slurm_job import TO_GO_ON
from genprior.pipeline.batch.submitted import NotMadeError
from genprior.store import exclusive

Call = Callable[..., Result]
QUEUED = "43|PENDING|PartitionConfig\n44|PENDING|Dependency\n"


class PlayedSlurm:
    """`sbatch` gives the ids 43, 44, …; `squeue` prints what a test sets."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        self.queue("")
        self._write(
            "sbatch", "n=$(cat count 2>/dev/null || echo 43); echo $n; echo $((n + 1)) >count"
        )

    def queue(self, said: str | None) -> None:
        """Set what `squeue` prints; None if it fails."""
        self._write("squeue", "exit 1" if said is None else f"cat <<'END'\n{said}END")

    def submitted(self) -> int:
        """Count the jobs that were submitted."""
        count = self.folder / "count"
        return int(count.read_text()) - 43 if count.exists() else 0

    def _write(self, command: str, body: str) -> None:
        file = self.folder / command
        file.write_text(f"#!/bin/bash\ncd {self.folder}\n{body}\n")
        file.chmod(0o755)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlayedSlurm:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'slurm'}{os.pathsep}{os.environ['PATH']}")
    return PlayedSlurm(tmp_path / "slurm")


@pytest.fixture
def submit(genprior: Call, slurm: PlayedSlurm, store: Path, tmp_path: Path) -> Call:
    sweep = write_sweep(tiny_sweep(), tmp_path / "tiny.toml")
    return lambda *options: genprior("submit", sweep, store, "--cluster=slurm", *options)


def refusal(result: Result, status: int) -> str:
    assert result.exit_code == status, result.output
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def test_status_of_a_job_that_has_not_made_its_store(
    genprior: Call, submit: Call, slurm: PlayedSlurm, store: Path
) -> None:
    assert refusal(genprior("status", store), 2).count("genprior run") == 1
    name = json.loads(submit("--chain=2", "--json").stdout)["name"]
    slurm.queue(QUEUED)
    said = refusal(genprior("status", store), 3)
    assert_names(said, "43 PENDING (PartitionConfig)", "44 PENDING", f"{store}.jobs", name)
    with pytest.raises(NotMadeError, match="43 PENDING"):
        gp.status(store)
    slurm.queue(None)
    assert_names(refusal(genprior("status", store), 3), "jobs 43, 44", "squeue", f"{store}.jobs")
    slurm.queue("43|COMPLETING|None\n")
    assert_names(refusal(genprior("status", store), 3), "jobs 43, 44", "ended", "no log")
    for job, end in (("43", "of the first"), ("44", f"no such module\n{TO_GO_ON}x")):
        log = Path(f"{store}.jobs/{name}-{job}.log")
        log.write_text(f"first line\n{end}\n\n")
        os.utime(log, (int(job), int(job)))
    assert_names(refusal(genprior("status", store), 3), f"{name}-44.log", "no such module\n")


def test_a_record_that_cannot_be_read_is_none(
    genprior: Call, submit: Call, slurm: PlayedSlurm, store: Path
) -> None:
    submit()
    record = Path(f"{store}.jobs/submitted.json")
    read = json.loads(record.read_text())
    for content in ("", "[]", "[" * 5000, json.dumps({**read, "name": "--all"})):
        record.write_text(content)
        assert_names(refusal(genprior("status", store), 2), "no such store")


def test_status_names_queued_jobs_while_no_run_is_alive(
    genprior: Call, submit: Call, slurm: PlayedSlurm, store: Path, kind: Scripted
) -> None:
    run_sweep(tiny_sweep(), store, kind=replace(kind, crash_at=(4, 5, 2)))
    submit()
    slurm.queue("43|PENDING|Priority\n")
    assert "queued      job 43 PENDING (Priority)\n" in genprior("status", store).stdout
    read = json.loads(genprior("status", store, "--json").stdout)
    assert read["queue"] == {"43": "PENDING (Priority)"}
    with exclusive(store):
        assert "PENDING" not in genprior("status", store).stdout


def test_a_complete_store_is_not_submitted(
    submit: Call, slurm: PlayedSlurm, store: Path, kind: Scripted
) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    assert "complete (48 trials), nothing to submit" in submit().stdout
    assert json.loads(submit("--json").stdout)["jobs"] == []
    assert slurm.submitted() == 0
    assert submit("--trials=5").exit_code == 0
    assert slurm.submitted() == 1


@pytest.mark.parametrize("options", [(), ("--array=2",)])
def test_a_store_with_queued_jobs_is_not_submitted_again(
    submit: Call, slurm: PlayedSlurm, store: Path, options: tuple[str, ...]
) -> None:
    submit()
    slurm.queue("43|RUNNING|None\n")
    said = refusal(submit(*options), 1)
    assert_names(said, "43 RUNNING", f"genprior status {store}", "scancel --name=tiny-")
    slurm.queue("")
    assert submit(*options).exit_code == 0
    assert slurm.submitted() == 2


def test_a_store_that_is_written_is_not_submitted(
    submit: Call, slurm: PlayedSlurm, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exclusive(store):
        assert_names(refusal(submit(), 1), f"process {os.getpid()}", f"kill {os.getpid()}")
    monkeypatch.setenv("SLURM_JOB_ID", "43")
    with exclusive(store):
        assert_names(refusal(submit(), 1), "Slurm job 43", "scancel 43")
    assert slurm.submitted() == 0
    # A job that Slurm no longer knows is dead, though its record is young.
    assert submit().exit_code == 0
    with exclusive(store):
        assert submit().exit_code == 0


def test_a_chain_that_is_refused_half_way_is_recorded(
    genprior: Call, submit: Call, slurm: PlayedSlurm, store: Path
) -> None:
    file = slurm.folder / "sbatch"
    refused = 'case "$*" in *afterany*) echo "sbatch: error: a: b." >&2; echo "sbatch: error: '
    refused += 'Batch job submission failed: c" >&2; exit 1;; esac\n'
    file.write_text(file.read_text().replace("n=$(", f"{refused}n=$("))
    assert_names(refusal(submit("--chain=2"), 1), "refuses the job: a: b; c.", "Job 43 stays")
    slurm.queue("43|PENDING|Priority\n")
    assert_names(refusal(genprior("status", store), 3), "job 43 PENDING")
