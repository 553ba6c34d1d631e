"""Reading of TOML of bounded size, depth and keys, so that a hostile file takes no time."""

import re
import tomllib
from typing import Any

MOST_CHARACTERS = 4_000_000  # of a file; an axis of 100 000 values takes some two million
MOST_PARTS = 50  # of a dotted key: the parser takes time by their square
# Numbers have at most one dot, and names of files in a row have spaces and quotes between them.
LONG_KEY = re.compile(rf"(?<![\w\"'.-])[\w\"'-]++(?:[ \t]*+\.[ \t]*+[\w\"'-]++){{{MOST_PARTS}}}")


def read_toml(text: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        ValueError: it is not TOML, is too long, or has tables, lists or keys that are too deep.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"{len(text):,} characters, and at most {MOST_CHARACTERS:,} are read; write long axes "
            "as ranges."
        )
    if next(LONG_KEY.finditer(text), None):
        raise ValueError(f"a key has more than {MOST_PARTS} parts with dots between them.")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("its tables or lists are nested too deeply.") from None
