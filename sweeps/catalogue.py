"""The named sweeps that come with genprior, and sweep files."""

import tomllib
from importlib.resources import files
from pathlib import Path

from .errors import SweepError, did_you_mean
from .sweep import Sweep

PRESETS = files(__package__) / "presets"


def preset_names() -> list[str]:
    """List the presets by name."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in PRESETS.iterdir()
        if entry.name.endswith(".toml")
    )


def load_sweep(named: str) -> Sweep:
    """Load a preset by name, or a sweep file by path.

    Raises:
        SweepError: there is no such preset or file, or it is no sweep.
    """
    if named in preset_names():
        return _parse((PRESETS / f"{named}.toml").read_text(encoding="utf-8"), named, named)
    path = Path(named)
    if path.is_file():
        try:
            return _parse(path.read_text(encoding="utf-8"), str(path), path.stem)
        except UnicodeDecodeError:
            raise SweepError(f"{path}: not a text file in UTF-8.") from None
        except OSError as error:
            raise SweepError(f"{path}: {error.strerror}.") from None
    if path.suffix == ".toml" or len(path.parts) > 1:
        what = "is a folder, not a sweep file" if path.is_dir() else "there is no such file"
        raise SweepError(f"{named}: {what}.")
    hint = did_you_mean(named, preset_names())
    raise SweepError(f"No sweep named {named!r}. {hint} 'genprior sweeps' lists them all.")


def _parse(text: str, where: str, name: str) -> Sweep:
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SweepError(f"{where}: {error}") from None
    return Sweep.parse({"name": name, **written}, where)
