"""A folder that all nodes of a Slurm see, with a sweep that takes its time."""

import json
import os
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from helpers import (
    ENVIRONMENT,
    GENPRIOR,
    HERE,
    chunk_stamps,
    offer,
    tiny_sweep,
    write_sweep,
)
from private_slurm import PrivateSlurm

PAUSE = 0.5  # seconds of a trial


@dataclass(frozen=True)
class Site:
    """A folder that all nodes see, and Slurm.

    Attributes:
        slurm: the cluster.
        folder: where sweeps, stores and profiles are.
        sweep: a sweep file of 48 trials of `PAUSE` seconds, four in a block.
        profile: a profile for nodes that meet on loopback.
        variables: what jobs and commands find in their environment.
    """

    slurm: PrivateSlurm
    folder: Path
    sweep: Path
    profile: Path
    variables: dict[str, str] = field(repr=False)

    @property
    def store(self) -> Path:
        return self.folder / "tiny.zarr"

    @property
    def at_once(self) -> "Site":
        """The same folder, its trials without pause."""
        kind = {**json.loads(self.variables["PACED"]), "pause": 0}
        return replace(self, variables={**self.variables, "PACED": json.dumps(kind)})

    def genprior(self, *arguments: object, status: int = 0) -> str:
        """Run a command to its end, and give what it prints."""
        done = subprocess.run(
            [GENPRIOR, *map(str, arguments)], env=self.variables, cwd=self.folder, check=False,
            capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout or done.stderr

    def submit(self, *options: object) -> list[str]:
        """Submit the sweep, and give the ids of its jobs."""
        command = ("submit", self.sweep, self.store, "--profile", self.profile, "--json")
        jobs: list[str] = json.loads(self.genprior(*command, *options))["jobs"]
        return jobs

    def status(self) -> dict[str, Any]:
        """Give what `genprior status` says of the store."""
        done = subprocess.run(
            [GENPRIOR, "status", self.store, "--json"], env=self.variables, check=False,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.stdout, done.stderr
        read: dict[str, Any] = json.loads(done.stdout)
        return read

    def trials(self) -> dict[str, int]:
        """Count the trials of the store by status."""
        counts: dict[str, int] = self.status()["trials"]
        return counts

    def blocks(self) -> int:
        """Count the blocks that are finished, of twelve."""
        return len(chunk_stamps(self.store))

    def wait_for_blocks(self, least: int = 1) -> None:
        self.slurm.until(lambda: self.blocks() >= least, 60, "no block was finished")

    def log(self) -> str:
        """Give the logs of all jobs."""
        files = sorted(self.folder.glob("*.jobs/*.log"))
        return "\n".join(file.read_text(errors="replace") for file in files)


def make_site(slurm: PrivateSlurm, folder: Path, pause: float = PAUSE) -> Site:
    calls = folder / "calls"
    calls.mkdir()
    offer(folder / "packages", "genprior.experiments", paced="paced:Paced")
    paths = (folder / "packages", Path(__file__).parent, HERE)
    kind = {"folder": str(calls), "pause": pause}
    sweep = write_sweep(tiny_sweep("blocks.trials=4", task="scripted"), folder / "tiny.toml")
    sweep.write_text(sweep.read_text().replace('"scripted"', '"paced"'))
    profile = folder / "profile.toml"
    profile.write_text('cluster = "slurm"\ninterface = "lo"\nwalltime = "00:10:00"\n')
    variables = {
        **ENVIRONMENT,
        **slurm.environment,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PACED": json.dumps(kind),
    }
    return Site(slurm, folder, sweep, profile, variables)
