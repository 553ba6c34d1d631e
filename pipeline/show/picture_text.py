"""Text in pictures: users' text is shown literally, and long text is broken into lines."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from ...sweeps.labels import value_label

SIGNS = "-/_,.:;="  # a line may end after one of these
LONGEST = 2000  # the most characters of a text
# A formula between two $, an escaped $, a space, or any other character.
ATOM = re.compile(r"\$(?:\\.|[^$\\])*\$|\\\$|\s|.", re.DOTALL)


def literal(text: str) -> str:
    """Escape a user's text so that Matplotlib sees no formula, and drop control characters."""
    return _visible(text).replace("$", r"\$")


def shown_value(value: Any) -> str:
    """Write the value of an axis as a label; negative numbers get a minus sign, not a hyphen."""
    label = value_label(value)
    is_number = isinstance(value, int | float)
    return label.replace("-", "\N{MINUS SIGN}") if is_number else literal(label)


def wrapped(text: str, width: float, measure: Callable[[str], float], most: int = 0) -> str:
    """Break a text into lines of at most a given width; formulas are not broken.

    Args:
        text: text from `literal`, with formulas between $; its own line ends are kept.
        width: the most width of a line, in the units of `measure`.
        measure: gives the width of a line.
        most: the most lines, the last with an ellipsis if lines are left out; 0 for all.
    """
    lines = [line for part in text.split("\n") for line in _lines(part, width, measure)]
    if most and len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1].rstrip()} …"]
    return "\n".join(lines)


def _lines(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    if not text.strip() or measure(text) <= width:
        return [text]
    lines = [""]
    for word in _words(text):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if measure(longer) <= width:
            lines[-1] = longer
            continue
        pieces = _pieces(word, width, measure)
        lines = [*(lines if lines[-1] else lines[:-1]), *pieces]
    return lines


def _words(text: str) -> list[str]:
    """Split a text at the spaces outside formulas."""
    words = [""]
    for atom in ATOM.findall(text):
        if atom.isspace():
            words.append("")
        else:
            words[-1] += atom
    return [word for word in words if word]


def _pieces(word: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Break a word that is wider than a line, such as a long path: after signs if that suffices."""
    parts = [""]
    for atom in ATOM.findall(word):
        parts[-1] += atom
        if atom in SIGNS:
            parts.append("")
    if any(measure(part) > width for part in parts):
        parts = ATOM.findall(word)
    pieces = [""]
    for part in parts:
        if pieces[-1] and measure(pieces[-1] + part) > width:
            pieces.append("")
        pieces[-1] += part
    return pieces


def _visible(text: str) -> str:
    """Drop control and format characters, and replace every other space by a plain one."""
    short = text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
    kept = (
        c if c == "\n" or c.isprintable() else " " if c.isspace() else ""
        for c in unicodedata.normalize("NFC", short)
    )
    return "".join(kept).strip()
