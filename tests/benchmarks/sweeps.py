"""How long sweeps take to read and to lay out."""

from typing import Any, ClassVar

from genprior.sweeps import Grid, Sweep, draws_of, load_sweep, point_identity


class Files:
    """Sweep files, from text to validated tables."""

    params = ["quickstart", "cocola-fig1"]
    param_names = ["preset"]
    small: ClassVar[dict[str, Any]] = {}

    def setup(self, preset: str) -> None:
        load_sweep(preset)  # the first one loads what installed packages offer

    def time_parse(self, preset: str) -> None:
        load_sweep(preset)


class Grids:
    """A grid of 10⁵ points, with a rule and a dependent parameter."""

    axes = {"k": "1:100:1", "depth": [2, 3], "m": "1:500:1"}
    points = 100
    small: ClassVar[dict[str, Any]] = {
        "axes": {"k": [1, 2], "depth": [2, 3], "m": [3, 4]},
        "points": 2,
    }

    def setup(self) -> None:
        self.sweep = Sweep.parse(
            {
                "axes": self.axes,
                "dependent": {
                    "widths": {"by": "depth", "table": {"2": [200, 300], "3": [200, 250, 300]}},
                    "noise.sigma": {"of": "k", "times": 0.001},
                },
                "exclude": ["k == 2 and m > 3"],
            }
        )
        self.grid = Grid(self.sweep)
        self.indices = list(self.grid.distinct(self.grid.dims, self.points))

    def time_expand(self) -> None:
        assert not Grid(self.sweep).excluded.all()

    def time_points(self) -> None:
        """Make points, with the identities that their draws follow from."""
        for index in self.indices:
            point_identity(self.grid.point(index), ())

    def time_draws(self) -> None:
        """Make the random streams of a trial of each."""
        for index in self.indices:
            draws_of(self.grid.point(index), 0, 0, ())
