"""What to run: sweep files, their grids of points, identities and seeds.

This package imports no other package of genprior, and neither Dask nor Zarr. The other packages
register which parameters and experiments there are.
"""

from typing import TYPE_CHECKING, Any, TypeAlias

from .catalogue import load_sweep, preset_names, preset_text
from .compare import differences, union
from .errors import SweepError, UserError
from .grid import Grid
from .identity import Draws, Purpose, draws_of, point_identity, random_stream
from .paths import local_path
from .sweep import Sweep

if TYPE_CHECKING:
    # `genprior.tasks.Point` has the types of its parameters; this package does not know them.
    Point: TypeAlias = Any

__all__ = [
    "Draws",
    "Grid",
    "Point",
    "Purpose",
    "Sweep",
    "SweepError",
    "UserError",
    "differences",
    "draws_of",
    "load_sweep",
    "local_path",
    "point_identity",
    "preset_names",
    "preset_text",
    "random_stream",
    "union",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Give the class of points that was registered, as `Point`."""
        if name == "Point":
            from .parameters import told_points

            return told_points()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
