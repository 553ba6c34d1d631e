"""The sweep file: axes, fixed and dependent parameters, exclusions, and settings of analyses."""

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
from .parameters import PARAMETERS, default_task, is_added, names_with, task_has
from .placing import Adaptive, check_placing
from .readings import readings, settings_tables, state, unloadable
from .rules import normal_rule
from .tables import Strict, is_stored
from .values import axis_length, axis_values, check_value

MOST_SHOWN = 12  # values of an axis
# Keys that do not change the results of trials, only how they are computed and analysed; so are the
# tables of analyses.
READING = (
    "name", "title", "description", "source", "expected", "blocks", "fit", "plot", "adaptive",
)  # fmt: skip


class Blocks(Strict):
    """How many trials a Dask task runs. This does not change any result."""

    seconds: float = Field(10.0, gt=0, description="target duration of a task, in seconds")
    trials: int | None = Field(None, ge=1, description="trials in a task, instead of a duration")


class Fit(Strict):
    """The axis along which the transition is fitted, and what its fit assumes.

    `direction` says whether success rises or falls there, and `scatter` whether successes of one
    value vary like independent trials ("binomial") or together ("beta-binomial"); "auto" allows for
    the second where no curve fits.
    """

    along: str | None = None
    direction: Literal["rising", "falling"] | None = None
    scatter: Literal["auto", "binomial", "beta-binomial"] = "auto"


class Plot(Strict):
    """The variable that the picture shows, and the axis of its x."""

    variable: str | None = None
    x: str | None = None


class Sweep(Strict):
    """A validated sweep. `axes` holds expanded values; keys are dotted names of parameters.

    The table of every registered analysis is an attribute too, by the name of the table; None if
    the sweep does not have it.
    """

    name: str = "sweep"
    title: str = ""
    description: str = ""
    source: str = ""
    expected: str = ""
    task: str = Field(default_factory=default_task)
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
    adaptive: Adaptive | None = None
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
        except RecursionError:
            raise SweepError("sweep: its tables or lists are nested too deeply.") from None

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
        """Accept `experiment` for `task`, its older name, and arrays and ranges for lists."""
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
        check_placing(self)
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
            stored: whether it is read from a store. An older version may have accepted two
                spellings of one number; such a sweep can be read, but not continued. Tables of
                analyses that are not registered are kept in `unread`.

        Raises:
            SweepError: names the file, the key and what is wrong, in one line.
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
            message = first_complaint(error, model)
            if error.errors()[0]["type"] == "extra_forbidden":
                message = " ".join([message, *_not_loaded()])
            raise SweepError(f"{where}: {message}") from None
        except SweepError as error:
            raise SweepError(f"{where}: {error}") from None
        except RecursionError:
            raise SweepError(f"{where}: its tables or lists are nested too deeply.") from None
        sweep._unread = unread
        return sweep

    @property
    def unread(self) -> dict[str, Any]:
        """The tables of a store's sweep whose analyses are not registered here, by name."""
        return dict(self._unread)

    def override(self, settings: str | Iterable[str] | Mapping[str, Any]) -> "Sweep":
        """Apply settings KEY=VALUE, as `--set` does; the last one for a key counts.

        Several values make KEY an axis. One value sets the key; an axis stays an axis. The value
        `default` removes a key, as if the file did not give it.

        Args:
            settings: a setting, several of them, or values by key: `{"k": [2, 4]}`.

        Raises:
            SweepError: no key has this name, or the sweep is not valid with the value.
        """
        settings = settings_list(settings)
        written, model = self._own_tables(), _whole(state())
        for setting in settings:
            apply_setting(written, setting, model)
        where = " ".join(f"--set {in_short(setting)}" for setting in settings)
        return self.reparsed(written, where)

    def given_values(self, name: str) -> list[Any]:
        """List the values of a parameter as they are written; none where it is not given."""
        if name in self.dependent:
            return list((self.dependent[name].table or {}).values())
        if name in self.axes:
            values = self.axes[name]
            return list(values) if isinstance(values, list | tuple) else [values]
        return [self.parameters[name]] if name in self.parameters else []

    def has(self, name: str) -> bool:
        """Say whether its experiment, or a class that it names, has a parameter."""
        return task_has(self.task, name, self.given_values)

    def as_dict(self) -> dict[str, Any]:
        """Give the sweep as plain tables, as a sweep file has them."""
        return self._own_tables() | self.unread

    def _own_tables(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_none=True)

    def reparsed(self, written: dict[str, Any], where: str = "sweep") -> "Sweep":
        """Validate changed tables of this sweep; `unread` is kept."""
        sweep = Sweep.parse(written, where)
        sweep._unread = self.unread
        return sweep

    def as_json(self) -> str:
        """Give the sweep as JSON text for the attributes of a store; axes keep their order."""
        return json.dumps(self.as_dict())

    def complete(self) -> "Sweep":
        """Write out every default, so that another default later does not change the sweep."""
        written = self._own_tables()
        given = {*self.axes, *self.parameters, *self.dependent, *names_with("absent")}
        for name, field in PARAMETERS.items():
            if name in given or field.is_required() or not self.has(name):
                continue
            # An empty list means that the parameter is derived.
            if field.default not in (None, ()):
                written["parameters"][name] = field.default
        if self.placed is not None:
            written["adaptive"]["along"] = self.placed
        return self.reparsed(written)

    @property
    def placed(self) -> str | None:
        """The axis along which trials place themselves; None if they are run at its values."""
        return None if self.adaptive is None else self.adaptive.along or self.fit.along

    def experiment(self) -> dict[str, Any]:
        """Give all that decides the results except the extent of the grid, with defaults.

        Of the tables that classes declare, those of the classes that the sweep names are part of
        it, so that a class that is added changes no other experiment.
        """
        fixed = {
            name: field.default
            for name, field in PARAMETERS.items()
            if not field.is_required() and (not is_added(name) or self.has(name))
        }
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
        """Hash of the experiment and of the names of its axes, 12 hexadecimal digits."""
        text = json.dumps([sorted(self.axes), self.experiment()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __getattr__(self, name: str) -> Any:
        """Give the table of an analysis; None if it was registered after the sweep was read."""
        if not name.startswith("_") and name in settings_tables():
            return None
        return super().__getattr__(name)  # type: ignore[misc]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the sweep as tables: another process may have other analyses."""
        return _restored, (self.as_dict(),)


def _in_short(values: list[Any]) -> str:
    """Write the values of an axis; of many the first and the last."""
    texts = [value_label(value) for value in values]
    if len(texts) > MOST_SHOWN:
        texts = [*texts[: MOST_SHOWN - 2], "…", texts[-1]]
        return f"{', '.join(texts)} ({len(values)} values)"
    return ", ".join(texts)


def _not_loaded() -> list[str]:
    """Word which analyses cannot be loaded: the unknown table may belong to one of them."""
    return [f"Analysis {name!r} cannot be loaded: {why}" for name, why in unloadable().items()]


def _restored(written: dict[str, Any]) -> Sweep:
    return Sweep.parse(written, stored=True)


@lru_cache(maxsize=8)
def _whole(number: int) -> type[Sweep]:
    """Make the class of sweeps with the tables of all registered analyses.

    Args:
        number: the result of `state`; it changes when an analysis is registered or removed.
    """
    tables: dict[str, Any] = {
        name: (settings | None, None) for name, settings in settings_tables().items()
    }
    made = create_model("Sweep", __base__=Sweep, __module__=__name__, **tables)
    made.__qualname__ = "Sweep"
    return made


def reading_keys() -> tuple[str, ...]:
    """Name the keys that do not change the results of trials, only how they are analysed."""
    return (*READING, *settings_tables())
