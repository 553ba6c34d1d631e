"""What to run: sweep files, their grids of points, identities and seeds.

This room imports none of the others and knows neither Dask nor Zarr.
"""

from .catalogue import load_sweep, preset_names, preset_text
from .compare import differences, union
from .errors import SweepError, UserError
from .grid import Grid
from .identity import Draws, Purpose, draws_of, point_identity, random_stream
from .paths import local_path
from .point import Point
from .settled import settled
from .sweep import Sweep

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
    "settled",
    "union",
]
