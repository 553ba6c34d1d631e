"""Shapes that files decide, written into a sweep, so that a store knows them without the files."""

from ...sweeps import Grid, Sweep
from .shapes import reads_shape, shape_in_file


def settled(grid: Grid) -> Sweep:
    """Write k, depth and widths of trained networks into their sweep, where it leaves them out.

    A fixed file gives parameters; where files vary, a table by `weights`. Any other sweep is given
    as it is.
    """
    sweep = grid.sweep
    generators, weights = grid.column("generator"), grid.column("weights")
    given = {*sweep.axes, *sweep.parameters, *sweep.dependent}
    lacking = [name for name in ("k", "depth", "widths") if name not in given]
    if generators is None or weights is None or not lacking:
        return sweep
    generator = generators.values.flat[0]
    if any(each != generator for each in generators.values.flat) or not reads_shape(generator):
        return sweep
    written = sweep.as_dict()
    for name in lacking:
        shape = {
            str(path): shape_in_file(generator, str(path))[name] for path in weights.values.flat
        }
        if "weights" in sweep.parameters:
            written["parameters"][name] = next(iter(shape.values()))
        else:
            written["dependent"][name] = {"by": "weights", "table": shape}
    return sweep.reparsed(written)
