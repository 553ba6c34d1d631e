"""Every benchmark runs, once and on small sizes; asv is not needed for that."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def benchmarks() -> Iterator[tuple[type, str, tuple[Any, ...]]]:
    """Each class with each of its methods that asv times, and each of its parameters."""
    for path in sorted(HERE.glob("*.py")):
        if path.stem == "__init__" or path.stem.startswith("test_"):
            continue
        module = import_module(f"{HERE.name}.{path.stem}")
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__ == module.__name__:
                for method in (name for name in vars(kind) if name.startswith("time_")):
                    for value in getattr(kind, "params", [None]):
                        yield kind, method, () if value is None else (value,)


BENCHMARKS = [
    pytest.param(*one, id="-".join([one[0].__name__, one[1], *one[2]])) for one in benchmarks()
]


def test_the_benchmarks_are_found():
    """A parametrised test without parameters would be skipped, not fail."""
    modules = {one.values[0].__module__.rpartition(".")[2] for one in BENCHMARKS}
    assert modules == {"store", "sweeps", "tasks"}


@pytest.mark.parametrize(("kind", "method", "parameters"), BENCHMARKS)
def test_a_benchmark_runs_on_small_sizes(kind, method, parameters):
    benchmark = kind()
    assert set(kind.small) <= set(vars(kind))
    vars(benchmark).update(kind.small)
    getattr(benchmark, "setup", lambda *_: None)(*parameters)
    try:
        getattr(benchmark, method)(*parameters)
    finally:
        getattr(benchmark, "teardown", lambda *_: None)(*parameters)
