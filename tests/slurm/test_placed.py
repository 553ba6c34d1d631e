"""Trials that place themselves, in jobs of a real Slurm."""

from collections.abc import Callable
from pathlib import Path

from helpers import assert_same_results
from slurm_site import Site

PLACED = ("--adaptive", "--precision=30%", "--set=k=2,4", "--set=m=2,24")


def undisturbed(site: Site) -> Path:
    """Run the same sweep in one process, without pauses."""
    store = site.folder / "reference.zarr"
    command = ("run", site.sweep, store, *PLACED, "--scheduler", "synchronous")
    site.at_once.genprior(*command)
    return store


def test_the_elements_of_an_array_share_the_groups(paced_site: Callable[[float], Site]) -> None:
    site = paced_site(0.02)
    (job,) = site.submit("--array=2", *PLACED)
    elements = [f"{job}_{index}" for index in (1, 2)]
    assert [site.slurm.wait(element) for element in elements] == ["COMPLETED"] * 2, site.log()
    assert [group["ended"] for group in site.status()["groups"]] == ["known"] * 2
    assert_same_results(site.store, undisturbed(site))


def test_a_chain_goes_on_until_every_group_has_ended(paced_site: Callable[[float], Site]) -> None:
    """The trials do not fit into a job of one minute, which Slurm signals 15 to 45 s before."""
    site = paced_site(0.6)
    jobs = site.submit("--walltime=00:01:00", "--chain=12", "--tasks=2", *PLACED)
    site.slurm.until(
        lambda: all(map(site.slurm.ended, jobs)), 500, f"the chain did not end: {site.log()}"
    )
    states = [site.slurm.state(job) for job in jobs]
    used = states.index("COMPLETED")
    assert used >= 1, states
    assert [site.slurm.status(job) for job in jobs[: used + 1]] == [3] * used + [0]
    assert set(states[used + 1 :]) <= {"CANCELLED"}
    assert_same_results(site.store, undisturbed(site))
