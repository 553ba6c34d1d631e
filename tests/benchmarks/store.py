"""How long stores take to write and to open."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from genprior.store import Status, create_store, open_results, open_writer, read_info, read_status
from genprior.sweeps import Grid, Sweep
from genprior.tasks import task_kind


class Store:
    """An empty store of recoveries, 50 blocks of 100 points each."""

    axes = {"k": "1:100:1", "m": "1:50:1"}
    small: ClassVar[dict[str, Any]] = {"axes": {"k": [1, 2], "m": [3, 4]}}

    def setup(self) -> None:
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "runs.zarr"
        self.grid = Grid(
            Sweep.parse(
                {
                    "trials": 30,
                    "axes": self.axes,
                    "parameters": {"depth": 2, "widths": [200, 300]},
                }
            )
        )
        self.variables = task_kind("recovery").variables
        self.create(self.path)
        info = read_info(self.path)
        self.writer = open_writer(self.path, info.revision)
        self.region = info.layout.region((0, 0, 0))
        dtypes = {variable.name: variable.dtype for variable in self.variables}
        self.block = self.writer.empty(self.region, dtypes)
        self.block["status"][:] = Status.DONE

    def create(self, path: Path) -> None:
        chunks = (len(self.grid.sweep.axes["k"]), 1, 30)
        create_store(path, self.grid, self.variables, chunks, {})

    def teardown(self) -> None:
        self.folder.cleanup()

    def time_create(self) -> None:
        with TemporaryDirectory() as folder:
            self.create(Path(folder) / "new.zarr")

    def time_write_block(self) -> None:
        self.writer.write(self.region, self.block)

    def time_open(self) -> None:
        open_results(self.path)

    def time_status(self) -> None:
        read_status(self.path)
