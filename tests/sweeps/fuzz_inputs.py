"""Inputs for the parsers of sweep files and of `--set`: any text, and presets with mutations."""

import re
from functools import cache

from hypothesis import strategies as st

from genprior.sweeps.catalogue import PRESETS, preset_names
from genprior.sweeps.parameters import PARAMETERS
from genprior.sweeps.sweep import Sweep

# What a grammar of TOML, of ranges, of rules and of settings is made of, and what is odd in it.
PIECES = [
    "=", ".", ",", ":", "[", "]", "[[", "]]", "{", "}", '"', "'", '"""', "'''", "#", "\n", "\r",
    "\t", " ", "-", "+", "_", "e", "0", "1", "9", "1e999", "1e-999", "-0", "0x", "0o7", "inf",
    "nan", "true", "false", "default", "1:5:1", "0:1:0.1", "::", "1:1e12:1e-12", "20-30", "--",
    "1979-05-27T07:32:00Z", "07:32:00", "9" * 60, "9" * 5000, "0." + "0" * 300 + "1", "\\",
    "\\u0000", "\\n", "\0", "\x1b[31m", "\ufeff", "\u2028", "\ud800", "²", "٣", "é",
    "k > m", " and ", "==", "<=", "axes", "parameters", "dependent", "exclude", "paired",
    "fit.along", "blocks.trials", "start", "stop", "step", "of", "times", "by", "table",
    "[" * 300, "{a=" * 200, "a." * 60 + "b", "'k' == 'k'", "k ==", "() == 1",
    "__import__('os')", "{{k}}", "%s", "$(id)", "`id`",
]  # fmt: skip


@cache
def preset_texts() -> list[str]:
    """The text of every preset."""
    names = preset_names()
    return [(PRESETS / f"{name}.toml").read_text(encoding="utf-8") for name in names]


@cache
def _keys() -> list[str]:
    keys = [*Sweep.model_fields, *PARAMETERS, "blocks.seconds", "fit.direction", "law.exponents"]
    tables = ["axes", "parameters", "dependent"]
    keys += [f"{table}.{name}" for table in tables for name in ("k", "m", "widths", "x")]
    return keys + [f"dependent.m.{part}" for part in ("of", "times", "by", "table", "table.2")]


TEXT = st.one_of(
    st.text(max_size=60),
    st.text(st.characters(codec=None), max_size=30),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A preset from which pieces are cut, doubled, exchanged or replaced."""
    pieces = re.split(r"(\W)", draw(st.sampled_from(preset_texts())))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(pieces) - 1))
        to = min(len(pieces), at + draw(st.integers(0, 6)))
        change = draw(st.sampled_from(["cut", "double", "replace", "insert", "move"]))
        if change == "cut":
            pieces[at:to] = []
        elif change == "double":
            pieces[at:at] = pieces[at:to]
        elif change == "replace":
            pieces[at:to] = [draw(TEXT)]
        elif change == "insert":
            pieces.insert(at, draw(st.sampled_from(PIECES)))
        else:
            part, pieces[at:to] = pieces[at:to], []
            pieces[0:0] = part
        pieces = pieces or [""]
    return "".join(pieces)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """The bytes of a file that somebody may take for a sweep file."""
    kind = draw(st.sampled_from(["bytes", "text", "mutated", "mutated", "mutated", "table"]))
    if kind == "bytes":
        return draw(st.binary(max_size=80))
    if kind == "text":
        return draw(TEXT).encode(errors="surrogatepass")
    if kind == "table":
        lines = [f"{draw(st.sampled_from(_keys()))} = {draw(TEXT)}" for _ in range(3)]
        return "\n".join(lines).encode(errors="surrogatepass")
    return draw(mutated()).encode(errors="surrogatepass")


@st.composite
def settings(draw: st.DrawFn) -> str:
    """The text of a `--set`."""
    if draw(st.integers(0, 4)) == 0:
        return draw(TEXT)
    key = draw(st.sampled_from(_keys()) | TEXT)
    values = TEXT | st.integers().map(str) | st.floats().map(repr)
    values |= st.lists(values, min_size=1, max_size=4).map(",".join)
    return f"{key}={draw(values)}"
