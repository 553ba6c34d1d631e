"""How long `--budget` says that a run may take."""

import click
import pytest

from genprior.pipeline.cli.options import Duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10min", 600), ("5 min", 300), ("2mins", 120), ("0.5min", 30), ("3m", 180),
        ("4 minutes", 240), ("1.5h", 5400), ("90s", 90), ("90", 90), ("250 ms", 0.25),
    ],
)  # fmt: skip
def test_durations_are_read(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["min", "soon", "-5min", "0", "5 mine", "nan", "2y", "9000h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError, match="is not"):
        Duration().convert(text, None, None)
