"""The text of a small sweep file, changes of it, and the line that refuses one."""

import pytest

from genprior.sweeps import SweepError

SWEEP = """
trials = 2
[axes]
k = [2, 3]
[parameters]
m = 10
depth = 2
widths = [20, 30]
"""


def written(text: str = SWEEP, *replacements: tuple[str, str]) -> str:
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text


def refusal(load, text: str, *settings: str) -> str:
    """The one line that a user sees."""
    with pytest.raises(SweepError) as caught:
        load(text, *settings)
    line = str(caught.value)
    assert line.isprintable()
    assert caught.value.exit_status == 2
    return line
