"""Parts of a sweep, as they are written: 3/16."""

import pytest
from helpers import refused

from genprior.sweeps.part import Part, PartError


@pytest.mark.parametrize(("text", "part"), [("1/1", (1, 1)), ("3/16", (3, 16)), (" 2 / 2", (2, 2))])
def test_a_part_is_written_as_its_number_and_their_count(text: str, part: tuple[int, int]) -> None:
    assert Part.parse(text) == Part(*part)
    assert str(Part.parse(text)) == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0/4", "from 1 to 4"), ("5/4", "from 1 to 4"), ("1/0", "number of parts"),
        ("1/100001", "100,000"), ("3", "such as 3/16"), ("a/b", "such as 3/16"),
        ("-1/4", "such as 3/16"), ("1/4/4", "such as 3/16"), ("", "such as 3/16"),
        ("²/4", "such as 3/16"), ("1/9999999999999", "such as 3/16"), ("1.0/4", "such as 3/16"),
    ],
)  # fmt: skip
def test_no_part_is_refused_as_wrong_usage(text: str, said: str) -> None:
    assert PartError.exit_status == 2
    with refused(PartError, said):
        Part.parse(text)
