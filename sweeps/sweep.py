"""The sweep file: axes, fixed and dependent parameters, exclusions, and how results are read."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    create_model,
    model_validator,
)

from .checks import check_names, check_pairing, check_size
from .dependent import Dependent
from .errors import SweepError, first_complaint
from .fixed import fixed, written_out
from .flat import flatten
from .html_table import html_table
from .labels import value_label
from .override import apply_setting, in_short, settings_list
from .parameters import PARAMETERS, names_with, task_has
from .readings import readings, settings_tables, state, unloadable
from .rules import normal_rule
from .tables import Strict, is_stored
from .values import axis_length, axis_values, check_value

MOST_SHOWN = 12  # values of an axis
# What changes how results are computed and read, not which results they are; so do the tables of
# analyses.
READING = ("name", "title", "description", "source", "expected", "blocks", "fit", "plot")


class Blocks(Strict):
    """How many trials a task runs; changes no result."""

    seconds: float = Field(10.0, gt=0, description="target duration of a task, in seconds")
    trials: int | None = Field(None, ge=1, description="trials in a task, instead of a duration")


class Fit(Strict):
    """Where the transition is looked for, and whether success rises or falls there."""

    along: str | None = None
    direction: Literal["rising", "falling"] | None = None


class Plot(Strict):
    """What the picture shows: a variable against an axis."""

    variable: str | None = None
    x: str | None = None


class Sweep(Strict):
    """A validated sweep; `axes` hold expanded values, keys are dotted parameter names.

    The table of every registered analysis is an attribute too, by the table's name: None where the
    sweep has none.
    """

    name: str = "sweep"
    title: str = ""
    description: str = ""
    source: str = ""
    expected: str = ""
    task: str = "recovery"
    trials: int = Field(30, ge=1, le=100_000_000)
    seed: int = Field(0, ge=0, lt=2**128)
    axes: Annotated[dict[str, Any], BeforeValidator(partial(flatten, table="axes"))] = {}
    parameters: Annotated[dict[str, Any], BeforeValidator(flatten)] = {}
    dependent: Annotated[
        dict[str, Dependent], BeforeValidator(partial(flatten, table="dependent"))
    ] = {}
    exclude: tuple[str, ...] = ()
    paired: tuple[str, ...] = ()
    blocks: Blocks = Blocks()
    fit: Fit = Fit()
    plot: Plot = Plot()
    _unread: dict[str, Any] = PrivateAttr(default_factory=dict)

    def __init__(self, **written: Any):
        """Validate the keys of a sweep file.

        Raises:
            SweepError: with the key and what is wrong, in one line.
        """
        try:
            super().__init__(**written)
        except ValidationError as error:
            raise SweepError(f"sweep: {first_complaint(error, type(self))}") from None

    # pydantic calls an own `__init__` when it validates tables too, unless it has this mark.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse a change: the hash of a sweep, and what is run, depend on all of it."""
        if not name.startswith("_"):
            raise SweepError(
                f"{name}: a sweep cannot be changed; sweep.override(['{name}=…']) gives a changed "
                "one."
            )
        super().__setattr__(name, value)

    def __hash__(self) -> int:
        """Hash a part that equal sweeps have in common."""
        return hash((self.name, self.task, self.trials, frozenset(self.axes)))

    @model_validator(mode="before")
    @classmethod
    def _experiment_is_task(cls, written: Any) -> Any:
        """Take `experiment` for `task`, its older name, and arrays and ranges for lists."""
        if not isinstance(written, dict):
            return written
        written = written_out(written)
        if "experiment" not in written:
            return written
        if "task" in written:
            raise ValueError("'experiment' and 'task' are one key; give one of them.")
        return {"task" if key == "experiment" else key: value for key, value in written.items()}

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> Self:
        stored = is_stored(info)
        check_names(self, stored)
        check_size({name: axis_length(name, self.axes[name]) for name in self.axes}, self.trials)
        object.__setattr__(
            self,
            "axes",
            fixed({name: axis_values(name, self.axes[name], stored) for name in self.axes}),
        )
        object.__setattr__(
            self,
            "parameters",
            fixed({n: check_value(n, self.parameters[n], stored) for n in self.parameters}),
        )
        check_pairing(self)
        for reading in readings():
            reading.check(self)
        return self

    @classmethod
    def parse(
        cls, written: dict[str, Any], where: str = "sweep", *, stored: bool = False
    ) -> "Sweep":
        """Validate a sweep read from TOML.

        Args:
            written: its tables.
            where: the file, for messages.
            stored: whether it is read from a store. An older version may have let two spellings of
                one number pass there; it can be read, but not continued. Tables of analyses that
                are not registered are kept as they are, in `unread`.

        Raises:
            SweepError: with the file, the key and what is wrong, in one line.
        """
        if not isinstance(written, Mapping):
            raise SweepError(f"{where}: give the tables of a sweep file as a dictionary.")
        written = dict(written)
        model, unread = _whole(state()), dict[str, Any]()
        if stored:
            unread = {
                key: value
                for key, value in written.items()
                if key not in model.model_fields and isinstance(value, dict)
            }
            written = {key: value for key, value in written.items() if key not in unread}
        try:
            sweep = model.model_validate(written, context={"stored": stored})
        except ValidationError as error:
            said = first_complaint(error, model)
            if error.errors()[0]["type"] == "extra_forbidden":
                said = " ".join([said, *_not_loaded()])
            raise SweepError(f"{where}: {said}") from None
        except SweepError as error:
            raise SweepError(f"{where}: {error}") from None
        sweep._unread = unread
        return sweep

    @property
    def unread(self) -> dict[str, Any]:
        """Tables of analyses that are not registered here, as a store has them."""
        return dict(self._unread)

    def override(self, settings: str | Iterable[str] | Mapping[str, Any]) -> "Sweep":
        """Apply `--set KEY=VALUE` settings; of two for the same key the later one wins.

        Several values make KEY an axis; one value sets it, and an axis stays an axis. The value
        `default` leaves a key as if the file did not give it.

        Args:
            settings: a setting, several of them, or values by key: `{"k": [2, 4]}`.

        Raises:
            SweepError: there is no such key, or its value is not possible.
        """
        settings = settings_list(settings)
        written, model = self._own_tables(), _whole(state())
        for setting in settings:
            apply_setting(written, setting, model)
        where = " ".join(f"--set {in_short(setting)}" for setting in settings)
        return self.reparsed(written, where)

    def as_dict(self) -> dict[str, Any]:
        """Give the sweep as plain tables, as its file could have been written."""
        return self._own_tables() | self.unread

    def _own_tables(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_none=True)

    def reparsed(self, written: dict[str, Any], where: str = "sweep") -> "Sweep":
        """Validate changed tables; those that are not read here stay."""
        sweep = Sweep.parse(written, where)
        sweep._unread = self.unread
        return sweep

    def as_json(self) -> str:
        """Give the sweep as JSON text, its axes in their order, for the store's attributes."""
        return json.dumps(self.as_dict())

    def complete(self) -> "Sweep":
        """Give the sweep with every default written out, so that it outlives a change of them."""
        written = self._own_tables()
        given = {*self.axes, *self.parameters, *self.dependent, "widths", *names_with("absent")}
        for name, field in PARAMETERS.items():
            if name in given or field.is_required() or not task_has(self.task, name):
                continue
            if field.default is not None:
                written["parameters"][name] = field.default
        return self.reparsed(written)

    def experiment(self) -> dict[str, Any]:
        """Give all that decides a result except how far the grid extends, defaults filled in."""
        fixed = {name: f.default for name, f in PARAMETERS.items() if not f.is_required()}
        fixed |= self.parameters
        rules = {
            name: {key: value for key, value in rule.model_dump().items() if key != "table"}
            for name, rule in self.dependent.items()
        }
        fixed |= {
            name: {key: value for key, value in rule.items() if value is not None}
            for name, rule in rules.items()
        }
        for name in self.axes:
            fixed.pop(name, None)
        own = {"task": self.task, "seed": self.seed}
        own |= {"exclude": sorted({normal_rule(rule) for rule in self.exclude})}
        return fixed | own | {"paired": sorted(set(self.paired))}

    def __repr__(self) -> str:
        """Give name, experiment, axes with their numbers of values, and trials, in one line."""
        axes = " × ".join(f"{name} ({len(values)})" for name, values in self.axes.items())
        over = f" over {axes}" if axes else ""
        return f"<Sweep {self.name}: {self.task}{over}, trials of each point: {self.trials:,}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Write an HTML table of what is swept; Jupyter calls this."""
        rows = {"sweep": self.name, "title": self.title, "experiment": self.task}
        rows |= {name: _in_short(values) for name, values in self.axes.items()}
        rows |= {name: value_label(value) for name, value in self.parameters.items()}
        rows |= {"trials of each point": f"{self.trials:,}", "seed": str(self.seed)}
        return html_table({name: text for name, text in rows.items() if text})

    @property
    def hash(self) -> str:
        """Hash of the experiment and the names of its axes."""
        text = json.dumps([sorted(self.axes), self.experiment()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __getattr__(self, name: str) -> Any:
        """Give the table of an analysis; None where it was registered after the sweep was read."""
        if not name.startswith("_") and name in settings_tables():
            return None
        return super().__getattr__(name)  # type: ignore[misc]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it as tables: a process that reads it may have other analyses."""
        return _restored, (self.as_dict(),)


def _in_short(values: list[Any]) -> str:
    """Write the values of an axis; of many the first and the last."""
    texts = [value_label(value) for value in values]
    if len(texts) > MOST_SHOWN:
        texts = [*texts[: MOST_SHOWN - 2], "…", texts[-1]]
        return f"{', '.join(texts)} ({len(values)} values)"
    return ", ".join(texts)


def _not_loaded() -> list[str]:
    """Say which analyses cannot be loaded: the unknown table may be theirs."""
    return [f"Analysis {name!r} cannot be loaded: {why}" for name, why in unloadable().items()]


def _restored(written: dict[str, Any]) -> Sweep:
    return Sweep.parse(written, stored=True)


@lru_cache(maxsize=8)
def _whole(number: int) -> type[Sweep]:
    """Make the class of sweeps that has the tables of all registered analyses.

    Args:
        number: what `state` gives; it changes when analyses are registered.
    """
    tables: dict[str, Any] = {
        name: (settings | None, None) for name, settings in settings_tables().items()
    }
    made = create_model("Sweep", __base__=Sweep, __module__=__name__, **tables)
    made.__qualname__ = "Sweep"
    return made


def reading_keys() -> tuple[str, ...]:
    """Name the keys that change how results are computed and read, not which results they are."""
    return (*READING, *settings_tables())
