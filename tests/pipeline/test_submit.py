"""`genprior submit`: the job scripts that it writes, and what it refuses before the queue."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from helpers import assert_names, recovery_sweep, tiny_sweep, write_sweep

from genprior.pipeline.batch.slurm_job import SlurmJob
from genprior.pipeline.batch.submission import Submission, slurm_job
from genprior.pipeline.cli import main
from genprior.pipeline.executors.allocation import task_memory
from genprior.pipeline.executors.profiles import Profile
from genprior.pipeline.run.request import check_request

Call = Callable[..., Result]
FULL = """
cluster = "slurm"
jobs = 4
cores = 16
memory = "32 GB"
walltime = "1-12:00:00"
queue = "long"
account = "physics"
interface = "ib0"
local_directory = "/local/scratch"
log_directory = "/data/my logs/50%"
python = "/opt/python 3/bin/python"
prologue = ["module load python", "ulimit -n 8192"]
directives = ["--constraint=icelake"]
skip = ["--mem-per-cpu"]
requeue = true
"""
END = """\
run=$!
[ -z "$early" ] || kill -TERM "$run"
# A signal ends `wait` early; the last one gives the status of the run.
while kill -0 "$run" 2>/dev/null; do wait "$run"; done
wait "$run"
status=$?
"""
REST = """\
# Complete, or a command that cannot be right: nothing follows.
case $status in"""


@pytest.fixture(autouse=True)
def no_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return write_sweep(tiny_sweep(), tmp_path / "tiny.toml")


def script(result: Result) -> tuple[str, str]:
    """Give the script of a dry run, and the random end of the job's name."""
    assert result.exit_code == 0, result.output
    mark = result.output.split("--job-name=")[1].split("\n")[0].rpartition("-")[2]
    return result.output, mark


def test_the_script_without_a_profile(genprior: Call, sweep: Path, store: Path) -> None:
    """One core, an hour; memory for scheduler, client, worker and a trial of no size."""
    text, mark = script(genprior("submit", sweep, store, "--cluster=slurm", "--dry-run"))
    python = shlex.quote(sys.executable)
    assert text == (
        f"""#!/bin/bash
#SBATCH --job-name=tiny-{mark}
#SBATCH --output={store}.jobs/tiny-{mark}-%j.log
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=620M
#SBATCH --time=01:00:00
#SBATCH --signal=B:TERM@60
#SBATCH --no-requeue

# Slurm signals this shell alone before the wall time ends; the run has to know it.
# One that comes before the run has a number is passed on once it has.
run= early=
passed_on() {{ if [ "$run" ]; then kill -TERM "$run"; else early=1; fi; }}
trap passed_on TERM
{python} -P -m genprior run {sweep} {store} --grace=40 --scheduler srun &
{END}{REST}
    0|2) ;;
    *) echo 'To go on, repeat on a login node: genprior submit {sweep} {store} --cluster=slurm' ;;
esac
exit $status
"""
    )
    assert not store.parent.joinpath("tiny.zarr.jobs").exists()


def test_the_script_of_a_chain_with_a_full_profile(
    genprior: Call, tmp_path: Path, sweep: Path, store: Path
) -> None:
    profile = tmp_path / "full.toml"
    profile.write_text(FULL)
    options = ("--chain=5", "--nodes=8", "--trials=40", "--seed=3", "--retries=1", "--allow-mixed")
    options += ("--trial-timeout=90",)
    text, mark = script(
        genprior(
            "submit",
            sweep,
            store,
            "--profile",
            profile,
            *options,
            "--set",
            "title=it's a test",
            "--dry-run",
        )
    )
    waiting = f"squeue --noheader --states=PENDING --name=tiny-{mark} 2>/dev/null | grep -q ."
    again = shlex.quote(
        f"To go on, repeat on a login node: genprior submit {sweep} {store} "
        f"""'--set=title=it'"'"'s a test' --trials=40 --seed=3 --retries=1 """
        f"--trial-timeout=90.0 --allow-mixed --profile={profile} --nodes=8 --chain=5"
    )
    assert text == (
        f"""#!/bin/bash
#SBATCH --job-name=tiny-{mark}
#SBATCH --output="/data/my logs/50%%"/tiny-{mark}-%j.log
#SBATCH --open-mode=append
#SBATCH --nodes=8
#SBATCH --ntasks=64
#SBATCH --cpus-per-task=1
#SBATCH --no-kill
#SBATCH --time=36:00:00
#SBATCH --signal=B:TERM@60
#SBATCH --requeue
#SBATCH --partition=long
#SBATCH --account=physics
#SBATCH --constraint=icelake

module load python
ulimit -n 8192
export DASK_JOBQUEUE__SLURM__INTERFACE=ib0
export DASK_TEMPORARY_DIRECTORY=/local/scratch
# Slurm signals this shell alone before the wall time ends; the run has to know it.
# One that comes before the run has a number is passed on once it has.
run= early=
passed_on() {{ if [ "$run" ]; then kill -TERM "$run"; else early=1; fi; }}
trap passed_on TERM
'/opt/python 3/bin/python' -P -m genprior run {sweep} {store} '--set=title=it'"'"'s a test' \
--trials=40 --seed=3 --retries=1 --trial-timeout=90.0 --allow-mixed --grace=40 --scheduler srun &
{END}{REST}
    0|2) scancel --quiet --state=PENDING --name=tiny-{mark} ;;
    *) {waiting} || echo {again} ;;
esac
exit $status
"""
    )


def test_the_script_of_an_array(genprior: Call, sweep: Path, store: Path) -> None:
    """Each element has one node and local workers; the parts need no network between them."""
    options = ("--array=16", "--tasks=4", "--walltime=00:02:00")
    text, mark = script(genprior("submit", sweep, store, "--cluster=slurm", *options, "--dry-run"))
    for line in (
        f"#SBATCH --output={store}.jobs/tiny-{mark}-%A_%a.log",
        "#SBATCH --array=1-16",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --cpus-per-task=4",
        # A quarter of the wall time, where that is less than a minute.
        "#SBATCH --signal=B:TERM@30",
        f"{shlex.quote(sys.executable)} -P -m genprior run {sweep} {store} --grace=20 --workers 4 "
        '--part "$SLURM_ARRAY_TASK_ID/16" &',
    ):
        assert line in text.splitlines()
    assert "scancel" not in text


def test_a_preset_keeps_its_name_and_a_file_gets_its_whole_path(
    genprior: Call, store: Path, tmp_path: Path, sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dry = ("--cluster=slurm", "--dry-run")
    assert f" run quickstart {store} " in script(genprior("submit", "quickstart", store, *dry))[0]
    text, _ = script(genprior("submit", "tiny.toml", "runs/x.zarr", *dry))
    assert f" run {sweep} {tmp_path}/runs/x.zarr " in text


def test_json_describes_the_job(genprior: Call, sweep: Path, store: Path) -> None:
    options = ("--cluster=slurm", "--tasks=3", "--dry-run", "--json")
    read = json.loads(genprior("submit", sweep, store, *options).stdout)
    assert (read["jobs"], read["logs"], read["tasks"], read["walltime_seconds"]) == (
        [],
        [],
        3,
        3600,
    )
    assert read["file"] == f"{store}.jobs/{read['name']}.sh"
    assert read["script"].startswith("#!/bin/bash\n")


def test_each_node_gets_a_task(genprior: Call, sweep: Path, store: Path) -> None:
    text, _ = script(genprior("submit", sweep, store, "--cluster=slurm", "--nodes=3", "--dry-run"))
    assert_names(text, "--nodes=3\n", "--ntasks=3\n")


def test_a_profile_with_too_little_memory_is_refused_with_what_is_needed(
    genprior: Call, sweep: Path, store: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "small.toml"
    profile.write_text('cluster = "slurm"\ncores = 4\nmemory = "400 MB"\n')
    refused = genprior("submit", sweep, store, "--profile", profile, "--dry-run")
    assert refused.exit_code == 2
    assert_names(refused.stderr, "'400 MB'", "4 cores")
    least = refused.stderr.split("at least ")[1].split("'")[1]
    enough = f"{int(least.split()[0]) + 1} MB"
    profile.write_text(f'cluster = "slurm"\ncores = 4\nmemory = "{enough}"\n')
    assert genprior("submit", sweep, store, "--profile", profile, "--dry-run").exit_code == 0


@pytest.mark.parametrize("signalled", [None, "early", "late"])
def test_the_script_ends_with_the_status_of_the_run(tmp_path: Path, signalled: str | None) -> None:
    """Also after a signal, which it passes on and then waits on: the run decides when it ends.

    "early" is before the script knows the number of the run, which a loaded machine can show.
    """
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/bash\ntrap 'sleep 0.3; exit 3' TERM\ntouch up\nwhile :; do sleep 0.1; done\n"
    )
    if not signalled:
        python.write_text("#!/bin/bash\nexit 7\n")
    python.chmod(0o755)
    profile = Profile(cluster="slurm", python=str(python))
    job = SlurmJob("job", tmp_path, profile, ("sweep", "store"), seconds=60, core_bytes=1)
    script = job.script()
    if signalled == "early":
        script = script.replace("run=$!", "while [ ! -e up ]; do :; done; kill -TERM $$; run=$!")
    process = subprocess.Popen(["bash", "-c", script], cwd=tmp_path)
    try:
        if signalled == "late":
            while not (tmp_path / "up").exists() and process.poll() is None:
                pass
            process.terminate()
        assert process.wait(timeout=20) == (3 if signalled else 7)
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--cluster=slum",), ("slum", "slurm")),
        (("--cluster=pbs",), ("pbs", "genprior run")),
        ((), ("--cluster",)),
        (("--cluster=slurm", "--profile=mine"), ("mine",)),
        (("--cluster=slurm", "--walltime=soon"), ("--walltime", "soon")),
        (("--cluster=slurm", "--array=0"), ("--array",)),
        (("--cluster=slurm", "--walltime=240"), ("240 minutes are 4:00:00",)),
        (("--cluster=slurm", "--walltime=1h"), ("1 hour is 1:00:00",)),
        (("--cluster=slurm", "--array=4", "--nodes=2"), ("--nodes",)),
        (("--cluster=slurm", "--tasks=2", "--nodes=4"), ("--tasks 2", "4 nodes")),
        (("--cluster=slurm", "--set=k=-1"), ("k",)),
        (("--cluster=slurm",), ("sbatch", "--dry-run")),
    ],
)
def test_wrong_use_is_refused_before_the_queue(
    genprior: Call, sweep: Path, store: Path, monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...], named: tuple[str, ...],
) -> None:  # fmt: skip
    monkeypatch.setenv("PATH", "/nowhere")
    result = genprior("submit", sweep, store, *options)
    assert result.exit_code == 2, result.output
    assert_names(result.stderr, *named)
    assert list(store.parent.iterdir()) == []


def test_a_store_of_another_experiment_is_refused_before_the_queue(
    genprior: Call, sweep: Path, undisturbed: Path
) -> None:
    options = ("--cluster=slurm", "--seed=8", "--dry-run")
    result = genprior("submit", sweep, undisturbed, *options)
    assert result.exit_code == 2
    assert_names(result.stderr, "seed", 7, 8)


def test_paths_that_a_script_cannot_hold_are_refused(
    genprior: Call, sweep: Path, tmp_path: Path
) -> None:
    for name in ("a\nb.zarr", 'a"b.zarr'):
        result = genprior("submit", sweep, tmp_path / name, "--cluster=slurm", "--dry-run")
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1


def test_a_trial_may_need_what_it_will_have_in_the_job(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: Path
) -> None:
    """What the job refuses is refused before it is submitted."""
    rooms = []

    def weigh(grid: object, kind: object, room: float) -> int:
        rooms.append(room)
        return 0

    monkeypatch.setattr("genprior.pipeline.batch.submission.check_memory", weigh)
    profile = tmp_path / "mine.toml"
    profile.write_text("cluster = 'slurm'\nmemory = '3 GB'\ncores = 4\n")
    request = check_request(recovery_sweep(), store)
    job = slurm_job(request, "tiny", Submission(), (), None, str(profile))
    asked = job.script().split("--mem-per-cpu=")[1].split("M\n")[0]
    assert rooms == [task_memory({"SLURM_MEM_PER_CPU": asked})]


def test_folders_of_a_profile_are_expanded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, genprior: Call, sweep: Path, store: Path
) -> None:
    """Here, for submit and for worker jobs; `local_directory` on the node, so not in a script."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LAB", "physics")
    profile = tmp_path / "mine.toml"
    profile.write_text(
        "cluster = 'slurm'\nlog_directory = '~/$LAB'\nlocal_directory = '$LAB/own'\n"
    )
    options = (sweep, store, "--profile", profile, "--dry-run")
    assert f"#SBATCH --output={tmp_path}/physics/" in script(genprior("submit", *options))[0]
    shown = genprior("run", *options)
    assert f"#SBATCH -e {tmp_path}/physics/" in shown.output, shown.output
    assert "--local-directory '$LAB/own'" in shown.output


def test_submit_is_among_the_commands(genprior: Call) -> None:
    assert "submit" in main.commands
