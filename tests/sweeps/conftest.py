"""Fixtures of the tests of sweeps."""

from pathlib import Path

import pytest

from genprior.sweeps import Grid, Sweep, load_sweep


@pytest.fixture
def load(tmp_path: Path):
    """Load a sweep from the text of its file and lay out its grid, as `genprior plan` would."""

    def load(text: str, *settings: str) -> Sweep:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        sweep = load_sweep(str(path)).override(settings)
        Grid(sweep)
        return sweep

    return load
