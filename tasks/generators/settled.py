"""Shapes of trained networks, written into their sweep: then a store needs no weights files."""

from ...sweeps import Grid, Sweep
from .shapes import reads_shape, shape_in_file


def settled(grid: Grid) -> Sweep:
    """Write k, depth and widths of trained networks into their sweep if it does not give them.

    With one file they become parameters, with several files tables by `weights`.

    Args:
        grid: the grid of the sweep.

    Returns:
        The sweep; unchanged if its generator does not read its shape from a file.
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
