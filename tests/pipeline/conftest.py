"""Fixtures of the tests of the pipeline."""

from collections.abc import Callable, Iterator

import pytest
import xarray as xr
from spread_analysis import Spread

from genprior.pipeline.analyses import Analysis, Request, analyses, forget, register


@pytest.fixture
def spread() -> Iterator[type[Spread]]:
    """The analysis from outside, registered until the test ends."""
    yield register(Spread)
    forget("spread")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the analyses that are computed, one a time."""
    calls: list[str] = []

    def counted(kind: type[Analysis]) -> Callable[[Analysis, Request], xr.Dataset]:
        compute = kind.compute

        def wrapped(self: Analysis, request: Request) -> xr.Dataset:
            calls.append(self.name)
            return compute(self, request)

        return wrapped

    for analysis in analyses():
        monkeypatch.setattr(type(analysis), "compute", counted(type(analysis)))
    return calls
