"""A real Slurm for the tests of this folder, and folders that its nodes see."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from private_slurm import PrivateSlurm, missing, private_slurm
from slurm_site import Site, make_site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.slurm)


@pytest.fixture(scope="session")
def slurm() -> Iterator[PrivateSlurm]:
    """A Slurm with three nodes; a test is skipped where none can be started."""
    if why := missing():
        pytest.skip(why)
    # Sockets need a short path.
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder, private_slurm(
        Path(folder)
    ) as running:  # fmt: skip
        yield running


@pytest.fixture
def site(slurm: PrivateSlurm, tmp_path: Path) -> Iterator[Site]:
    """A fresh folder; the jobs of the test end with it."""
    yield make_site(slurm, tmp_path)
    slurm.cancel_all()


@pytest.fixture
def paced_site(slurm: PrivateSlurm, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Make a site with another pause."""
    yield lambda pause: make_site(slurm, tmp_path, pause)
    slurm.cancel_all()


@pytest.fixture(scope="session")
def reference(slurm: PrivateSlurm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of the sweep, run in one go in one process."""
    made = make_site(slurm, tmp_path_factory.mktemp("reference"), pause=0)
    made.genprior("run", made.sweep, made.store, "--scheduler", "synchronous")
    return made.store
