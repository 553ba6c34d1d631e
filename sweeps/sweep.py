"""The sweep file: axes, fixed and dependent parameters, exclusions, and how results are read."""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator
from pydantic.fields import FieldInfo

from .errors import SweepError, did_you_mean, first_complaint
from .parameters import PARAMETERS, Strict, widths_label
from .values import expand_axis, parse_setting

SETTINGS = (
    "trials",
    "seed",
    "blocks.seconds",
    "blocks.trials",
    "fit.along",
    "plot.variable",
    "plot.x",
)
# Settings that change how results are computed or read, not which results they are.
READING = ("name", "title", "description", "source", "expected", "blocks", "fit", "plot")
EXTENT = ("axes", "trials", "dependent")


class Dependent(Strict):
    """A parameter computed from others.

    The value is `table[by]` or `times`, multiplied by `of` where that is given and rounded to the
    nearest integer (halves up) where the parameter counts something. `times` may name an axis.
    """

    of: str | None = None
    times: float | str | list[float] | None = None
    by: str | None = None
    table: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.times is None) == (self.table is None) or (self.by is None) != (
            self.table is None
        ):
            raise ValueError("give either 'times' (with 'of') or 'by' and 'table'")
        if self.times is not None and self.of is None:
            raise ValueError("'times' needs 'of', the parameter it multiplies")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names this parameter is computed from."""
        named = (self.of, self.by, self.times if isinstance(self.times, str) else None)
        return tuple(name for name in named if name is not None)


class Blocks(Strict):
    """How many trials a task runs; changes no result."""

    seconds: float = Field(10.0, gt=0, description="target duration of a task, in seconds")
    trials: int | None = Field(None, ge=1, description="trials in a task, instead of a duration")


class Fit(Strict):
    """Where the transition is looked for."""

    along: str | None = None


class Plot(Strict):
    """What the picture shows: a variable against an axis."""

    variable: Literal["success", "latent_error", "signal_error", "iterations", "loss"] = "success"
    x: str | None = None


GROUPS = {name.split(".")[0] for name in PARAMETERS if "." in name}
VALUE_KEYS = {"start", "stop", "of", "times", "by", "table"}


def _flatten(written: Any, prefix: str = "") -> Any:
    """Read nested TOML tables as dotted keys; the table of a range or a rule is a value."""
    if not isinstance(written, dict):
        return written
    flat: dict[str, Any] = {}
    for name, value in written.items():
        key = f"{prefix}{name}"
        is_level = isinstance(value, dict) and (key in GROUPS or not VALUE_KEYS & set(value))
        if is_level and key not in PARAMETERS:
            flat |= _flatten(value, f"{key}.")
        else:
            flat[key] = value
    return flat


Flat = Annotated[dict[str, Any], BeforeValidator(_flatten)]


class Sweep(Strict):
    """A validated sweep; `axes` hold expanded values, keys are dotted parameter names."""

    name: str = "sweep"
    title: str = ""
    description: str = ""
    source: str = ""
    expected: str = ""
    task: str = "recovery"
    trials: int = Field(30, ge=1, le=100_000_000)
    seed: int = Field(0, ge=0, lt=2**128)
    axes: Flat = {}
    parameters: Flat = {}
    dependent: Annotated[dict[str, Dependent], BeforeValidator(_flatten)] = {}
    exclude: tuple[str, ...] = ()
    paired: tuple[str, ...] = ()
    blocks: Blocks = Blocks()
    fit: Fit = Fit()
    plot: Plot = Plot()

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_names(self)
        object.__setattr__(
            self, "axes", {name: _axis_values(name, self.axes[name]) for name in self.axes}
        )
        object.__setattr__(
            self,
            "parameters",
            {name: check_value(name, value) for name, value in self.parameters.items()},
        )
        return self

    @classmethod
    def parse(cls, written: dict[str, Any], where: str = "sweep") -> Self:
        """Validate a sweep read from TOML.

        Raises:
            SweepError: with the file, the key and what is wrong, in one line.
        """
        try:
            return cls.model_validate(written)
        except ValidationError as error:
            raise SweepError(f"{where}: {first_complaint(error, cls.model_fields)}") from None
        except SweepError as error:
            raise SweepError(f"{where}: {error}") from None

    def override(self, settings: list[str] | tuple[str, ...]) -> Self:
        """Apply `--set KEY=VALUE` settings.

        Several values make KEY an axis; one value sets it, and an axis stays an axis.
        """
        written = self.as_dict()
        for setting in settings:
            key, value = parse_setting(setting)
            if key in SETTINGS:
                _put(written, key, value)
            elif key in PARAMETERS or key in written["axes"]:
                _set_parameter(written, key, value)
            else:
                raise SweepError(
                    f"--set {setting}: there is no parameter or setting {key!r}. "
                    + did_you_mean(key, (*PARAMETERS, *written["axes"], *SETTINGS))
                )
        return type(self).parse(written, f"--set {' --set '.join(settings)}" if settings else "")

    def as_dict(self) -> dict[str, Any]:
        """Give the sweep as plain tables, as its file could have been written."""
        return self.model_dump(mode="json", exclude_none=True)

    def as_json(self) -> str:
        """Give the complete sweep as JSON text, for the store's attributes."""
        return json.dumps(self.as_dict(), sort_keys=True)

    @property
    def hash(self) -> str:
        """Hash of the experiment: all that decides a result except how far the grid extends."""
        content = {
            key: value
            for key, value in self.as_dict().items()
            if key not in READING and key not in EXTENT
        }
        content["axes"] = sorted(self.axes)
        content["dependent"] = sorted(self.dependent)
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _put(written: dict[str, Any], key: str, value: Any) -> None:
    if isinstance(value, list):
        raise SweepError(f"'{key}' takes one value, not a list.")
    *parents, leaf = key.split(".")
    for parent in parents:
        written = written.setdefault(parent, {})
    written[leaf] = value


def _set_parameter(written: dict[str, Any], key: str, value: Any) -> None:
    written["dependent"].pop(key, None)
    if isinstance(value, list) or key in written["axes"]:
        written["parameters"].pop(key, None)
        written["axes"][key] = value if isinstance(value, list) else [value]
    else:
        written["parameters"][key] = value


def _check_names(sweep: Sweep) -> None:
    free = {
        entry.times for entry in sweep.dependent.values() if isinstance(entry.times, str)
    } - set(PARAMETERS)
    for table, names in (
        ("axes", set(sweep.axes) - free),
        ("parameters", set(sweep.parameters)),
        ("dependent", set(sweep.dependent)),
    ):
        for name in sorted(names - set(PARAMETERS)):
            raise SweepError(f"{table}: unknown key '{name}'. {did_you_mean(name, PARAMETERS)}")
    tables = [*sweep.axes, *sweep.parameters, *sweep.dependent]
    for name in sorted({name for name in tables if tables.count(name) > 1}):
        raise SweepError(
            f"'{name}' is given twice; leave it in one of axes, parameters, dependent."
        )
    for name in ("k", "m", "depth"):
        if name not in tables:
            raise SweepError(f"'{name}' is not given; put it in axes, parameters or dependent.")
    for name, entry in sweep.dependent.items():
        for needed in entry.inputs:
            if needed not in tables:
                raise SweepError(
                    f"dependent.{name}: '{needed}' is neither a parameter nor an axis."
                )
    for name in sweep.paired:
        if name not in sweep.axes:
            raise SweepError(f"paired: '{name}' is no axis. {did_you_mean(name, sweep.axes)}")
    for key, named in (("fit.along", sweep.fit.along), ("plot.x", sweep.plot.x)):
        if named is not None and named not in sweep.axes:
            raise SweepError(f"{key}: '{named}' is no axis. {did_you_mean(named, sweep.axes)}")
    if sweep.fit.along in sweep.paired:
        raise SweepError(
            f"paired: '{sweep.fit.along}' is the axis of the fit; draws shared along it would "
            "ruin the intervals. Take it out of 'paired'."
        )


def _axis_values(name: str, written: Any) -> list[Any]:
    values = [check_value(name, value) for value in expand_axis(name, written)]
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise SweepError(f"axis '{name}' lists {twice} twice.")
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return sorted(values)
    return values


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    kind: Any = Annotated[field.annotation, field]
    return TypeAdapter(kind)


_ADAPTERS = {name: _adapter(field) for name, field in PARAMETERS.items()}


def check_value(name: str, value: Any) -> Any:
    """Validate one value of a parameter, or of an axis that only multiplies (a positive number).

    Raises:
        SweepError: naming the parameter and the value.
    """
    if name not in _ADAPTERS:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
            raise SweepError(f"'{name}': a multiplier must be a positive number, got {value!r}")
        return value
    if isinstance(value, bool) and PARAMETERS[name].annotation is not bool:
        raise SweepError(f"'{name}': a truth value makes no sense here, got {value!r}")
    try:
        checked = _ADAPTERS[name].validate_python(value)
    except ValidationError as error:
        complaint = error.errors(include_url=False)[0]
        raise SweepError(f"'{name}': {complaint['msg']}, got {complaint['input']!r}") from None
    return widths_label(checked) if isinstance(checked, tuple) else checked


def differences(stored: Sweep, asked: Sweep) -> list[str]:
    """Name what makes two sweeps different experiments; larger or smaller grids are no difference.

    Returns:
        One phrase a difference, `'solver.step' is 0.7 there and 0.5 here`.
    """
    found = []
    for name in sorted(set(stored.axes) ^ set(asked.axes)):
        there, here = ("an axis", "none") if name in stored.axes else ("no axis", "one")
        found.append(f"'{name}' is {there} there and {here} here")
    tables = (
        (_fixed(stored), _fixed(asked)),
        (_tables(stored), _tables(asked)),
    )
    for old, new in tables:
        fixed = (set(old) | set(new)) - set(stored.axes) - set(asked.axes)
        found += [
            f"'{name}' is {_show(old, name)} there and {_show(new, name)} here"
            for name in sorted(fixed)
            if old.get(name) != new.get(name)
        ]
    mine, theirs = _entries(asked), _entries(stored)
    found += [
        f"'{key}' is {theirs[key]} there and {mine[key]} here"
        for key in sorted(set(mine) & set(theirs))
        if mine[key] != theirs[key]
    ]
    return found


def _show(values: dict[str, Any], name: str) -> str:
    return repr(values[name]) if name in values else "not set"


def _fixed(sweep: Sweep) -> dict[str, Any]:
    top = {key: getattr(sweep, key) for key in ("task", "seed", "exclude", "paired")}
    defaults = {
        name: field.default for name, field in PARAMETERS.items() if not field.is_required()
    }
    defaults = {name: value for name, value in defaults.items() if name not in sweep.dependent}
    return defaults | sweep.parameters | top


def _tables(sweep: Sweep) -> dict[str, Any]:
    """The dependent parameters without their tables' entries, which an extension may add to."""
    return {
        name: {key: value for key, value in entry.model_dump().items() if key != "table" and value}
        for name, entry in sweep.dependent.items()
    }


def _entries(sweep: Sweep) -> dict[str, Any]:
    return {
        f"{name}[{entry.by}={key}]": value
        for name, entry in sweep.dependent.items()
        for key, value in (entry.table or {}).items()
    }


def union(stored: Sweep, asked: Sweep) -> Sweep:
    """Give the stored sweep with its grid grown to hold the asked one's too."""
    written = stored.as_dict()
    for name, values in asked.axes.items():
        written["axes"][name] += [value for value in values if value not in stored.axes[name]]
    for name, entry in asked.dependent.items():
        if entry.table:
            written["dependent"][name]["table"] |= entry.table
    written["trials"] = max(stored.trials, asked.trials)
    return Sweep.parse(written, "the extended sweep")
