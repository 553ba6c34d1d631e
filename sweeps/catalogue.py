"""Presets, the sweeps that come with genprior, and loading of sweep files."""

import os
from importlib.resources import files

from .errors import SweepError, did_you_mean, shown
from .paths import local_path
from .sweep import Sweep
from .toml import MOST_CHARACTERS, read_toml

MOST_BYTES = 4 * MOST_CHARACTERS
PRESETS = files(__package__) / "presets"


def preset_names() -> list[str]:
    """List the presets by name."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in PRESETS.iterdir()
        if entry.name.endswith(".toml")
    )


def preset_text(name: str) -> str:
    """Give the text of a preset's file, to copy and change.

    Raises:
        SweepError: there is no preset of that name.
    """
    if name not in preset_names():
        hint = _hint(name)
        raise SweepError(f"No sweep named {name!r}.{hint} 'genprior sweeps' lists them all.")
    return (PRESETS / f"{name}.toml").read_text(encoding="utf-8")


def load_sweep(named: str | os.PathLike[str]) -> Sweep:
    """Load a preset by name, or a sweep file by path.

    Raises:
        SweepError: there is no preset or file of that name, or it is not a valid sweep.
    """
    written = os.fspath(named) if isinstance(named, str | os.PathLike) else named
    if not isinstance(written, str):
        raise SweepError(
            f"{shown(named)} names no sweep; give the name of a preset, or the path of a file."
        )
    named = written
    if named in preset_names():
        return _parse((PRESETS / f"{named}.toml").read_text(encoding="utf-8"), named, named)
    path = local_path(named)
    try:
        if path.is_file():
            with path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
            if len(content) > MOST_BYTES:
                raise SweepError(
                    f"{path}: more than {MOST_BYTES:,} bytes, so this is no sweep file."
                )
            # Some editors put a byte order mark at the start of a file.
            return _parse(content.decode("utf-8-sig"), str(path), path.stem)
    except UnicodeDecodeError:
        raise SweepError(f"{path}: not a text file in UTF-8.") from None
    except OSError as error:
        raise SweepError(f"{shown(str(path))}: {error.strerror}.") from None
    if named and path.is_dir():
        raise SweepError(f"{named}: is a folder, not a sweep file.")
    if path.suffix == ".toml" or len(path.parts) > 1:
        raise SweepError(f"{named}: this file does not exist.")
    hint = _hint(named)
    raise SweepError(f"No sweep named {shown(named)}.{hint} 'genprior sweeps' lists them all.")


def _hint(name: str) -> str:
    near = did_you_mean(name, preset_names())
    return f" {near}" if near else ""


def _parse(text: str, where: str, name: str) -> Sweep:
    try:
        # Lines may end as in other systems.
        written = read_toml(text.replace("\r\n", "\n").replace("\r", "\n"))
        return Sweep.parse({"name": name, **written}, where)
    # tomllib raises a plain ValueError for a number with thousands of digits.
    except ValueError as error:
        raise SweepError(f"{where}: {error}") from None
