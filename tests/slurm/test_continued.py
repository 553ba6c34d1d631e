"""Jobs of a real Slurm that continue one another, and parts that share a store."""

from collections.abc import Callable
from pathlib import Path

from helpers import assert_same_results
from slurm_site import Site


def test_a_chain_continues_where_the_wall_time_ended_and_stops_when_the_store_is_complete(
    paced_site: Callable[[float], Site], reference: Path
) -> None:
    """48 s of trials do not fit into jobs of one minute, which Slurm signals 15 to 45 s before."""
    site = paced_site(1.0)
    jobs = site.submit("--walltime=00:01:00", "--chain=8")
    assert len(jobs) == 8
    site.slurm.until(
        lambda: all(map(site.slurm.ended, jobs)), 400, f"the chain did not end: {site.log()}"
    )
    states = [site.slurm.state(job) for job in jobs]
    used = states.index("COMPLETED")
    assert used >= 1, states
    # The run has ended by itself, with the status for an incomplete store.
    assert states[:used] == ["FAILED"] * used, states
    assert [site.slurm.status(job) for job in jobs[: used + 1]] == [3] * used + [0]
    assert set(states[used + 1 :]) <= {"CANCELLED"}
    assert_same_results(site.store, reference)


def test_a_job_that_is_requeued_continues(site: Site, reference: Path) -> None:
    site.profile.write_text(site.profile.read_text() + "requeue = true\n")
    (job,) = site.submit("--tasks=2")
    site.wait_for_blocks()
    site.slurm.call("scontrol", "requeue", job)
    kept = site.blocks()
    assert site.slurm.wait(job) == "COMPLETED", site.log()
    assert kept < 12
    assert site.log().count("starting workers") == 2
    assert_same_results(site.store, reference)


def test_the_parts_of_an_array_complete_one_store(site: Site, reference: Path) -> None:
    (job,) = site.submit("--array=3")
    elements = [f"{job}_{index}" for index in (1, 2, 3)]
    assert [site.slurm.wait(element) for element in elements] == ["COMPLETED"] * 3, site.log()
    assert len(list(site.folder.glob("*.jobs/*.log"))) == 3
    assert_same_results(site.store, reference)


def test_a_job_that_waits_is_followed_and_not_submitted_twice(site: Site) -> None:
    free = site.profile.read_text()
    site.profile.write_text(free + 'directives = ["--hold"]\n')
    (job,) = site.submit()
    command = ("submit", site.sweep, site.store, "--profile", site.profile)
    for told in (site.genprior("status", site.store, status=3), site.genprior(*command, status=1)):
        assert f"job {job} PENDING (JobHeldUser)" in told
    site.slurm.call("scancel", job)
    site.slurm.until(lambda: not site.slurm.call("squeue", "-h"), 60, "the job stays")
    assert f"job {job}" in site.genprior("status", site.store, status=3)
    site.profile.write_text(free + 'prologue = ["echo there is no such module; exit 1"]\n')
    (job,) = site.submit()
    assert site.slurm.wait(job) == "FAILED"
    assert "ends: there is no such module" in site.genprior("status", site.store, status=3)


def test_slurm_s_refusal_is_told_in_its_words(site: Site) -> None:
    site.profile.write_text(site.profile.read_text() + 'queue = "nowhere"\n')
    command = ("submit", site.sweep, site.store, "--profile", site.profile)
    said = site.genprior(*command, status=1)
    assert "invalid partition specified: nowhere" in said
    assert len(said.splitlines()) == 1
    assert not site.slurm.call("squeue", "-h")
