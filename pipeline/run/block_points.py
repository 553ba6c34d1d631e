"""The points and numbers of the trials of a block, on a grid of values or placed by their group."""

from functools import lru_cache
from pathlib import Path

from ...store import Region, read_info
from ...sweeps import Grid, Sweep
from ...sweeps.placing import of_group
from ...tasks import Experiment
from .block_task import BlockTask
from .finished import Offset


@lru_cache(maxsize=8)
def _sweep(path: Path, revision: str) -> Sweep:
    return read_info(path).sweep


@lru_cache(maxsize=8)
def _grid(path: Path, revision: str) -> Grid:
    return Grid(_sweep(path, revision))


class BlockPoints:
    """The points of a block, and which trial is where.

    Args:
        task: the block.
        region: what it covers of the store.

    Attributes:
        grid: the grid that has the points.
    """

    def __init__(self, task: BlockTask, region: Region):
        self._placed, self._region = task.placed, region
        if not task.placed:
            self.grid = _grid(task.path, task.revision)
            return
        sweep = _sweep(task.path, task.revision)
        values = sorted({value for value, _ in task.placed if value >= 0})
        self._at = {value: at for at, value in enumerate(values)}
        self._along = str(sweep.placed)
        self.grid = Grid(of_group(sweep, task.block[:-1], values))

    def index(self, offset: Offset) -> tuple[tuple[int, ...], int]:
        """Give the index of a trial's point in the grid, and the trial's number."""
        if not self._placed:
            index = [part.start + i for part, i in zip(self._region, offset, strict=True)]
            return tuple(index[:-1]), index[-1]
        value, number = self._placed[offset[-1]]
        at = (self._at[value] if dim == self._along else 0 for dim in self.grid.dims)
        return tuple(at), number

    def place(self, offset: Offset) -> str:
        """Name a trial by the values of its point and its number."""
        at, trial = self.index(offset)
        return f"{self.grid.place(at)}, trial={trial}"

    def share_draws(self, kind: Experiment) -> list[bool]:
        """Say for each dimension of the block's points whether trials along it share a draw."""
        if self._placed:
            return [False] * len(self._region[:-1])
        return [dim in kind.inner for dim in self.grid.dims]
