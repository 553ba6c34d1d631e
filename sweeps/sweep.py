"""The sweep file: axes, fixed and dependent parameters, exclusions, and how results are read."""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, model_validator

from .checks import check_comparison, check_law, check_names, check_pairing, check_size
from .dependent import Dependent
from .errors import SweepError, first_complaint
from .flat import flatten
from .override import apply_setting, in_short
from .parameters import PARAMETERS, names_with, task_has
from .rules import normal_rule
from .tables import Strict, is_stored
from .values import axis_length, axis_values, check_value

# What changes how results are computed and read, not which results they are.
READING = (
    "name", "title", "description", "source", "expected", "blocks", "fit", "plot", "law", "compare",
    "basins",
)  # fmt: skip


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


class Compare(Strict):
    """Whose success is compared: the values of an axis, with one of them."""

    over: str
    reference: bool | int | float | str | list[int] | None = None


class Basins(Strict):
    """Where runs end: at x*, which is success, at the mirror point −ρ_d x*, or elsewhere."""

    radius: float = Field(
        0.75, gt=0, le=1, description="distance from the mirror that counts as there, in ‖ρ_d x*‖"
    )


Flat = Annotated[dict[str, Any], BeforeValidator(flatten)]
Exponent = Annotated[float, Field(strict=True)]


class Law(Strict):
    """The power law that a source claims: for the error of recovered trials, or for a constant."""

    variable: str = "signal_error"
    exponents: Annotated[dict[str, Exponent], BeforeValidator(flatten)] = {}


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
    dependent: Annotated[dict[str, Dependent], BeforeValidator(flatten)] = {}
    exclude: tuple[str, ...] = ()
    paired: tuple[str, ...] = ()
    blocks: Blocks = Blocks()
    fit: Fit = Fit()
    law: Law | None = None
    compare: Compare | None = None
    basins: Basins | None = None
    plot: Plot = Plot()

    @model_validator(mode="before")
    @classmethod
    def _experiment_is_task(cls, written: Any) -> Any:
        """Take `experiment` for `task`, its older name."""
        if not isinstance(written, dict) or "experiment" not in written:
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
            self, "axes", {name: axis_values(name, self.axes[name], stored) for name in self.axes}
        )
        object.__setattr__(
            self,
            "parameters",
            {name: check_value(name, self.parameters[name], stored) for name in self.parameters},
        )
        check_pairing(self)
        check_law(self)
        check_comparison(self)
        return self

    @classmethod
    def parse(cls, written: dict[str, Any], where: str = "sweep", *, stored: bool = False) -> Self:
        """Validate a sweep read from TOML.

        Args:
            written: its tables.
            where: the file, for messages.
            stored: whether it is read from a store. An older version may have let two spellings of
                one number pass there; it can be read, but not continued.

        Raises:
            SweepError: with the file, the key and what is wrong, in one line.
        """
        try:
            return cls.model_validate(written, context={"stored": stored})
        except ValidationError as error:
            raise SweepError(f"{where}: {first_complaint(error, cls)}") from None
        except SweepError as error:
            raise SweepError(f"{where}: {error}") from None

    def override(self, settings: list[str] | tuple[str, ...]) -> Self:
        """Apply `--set KEY=VALUE` settings; of two for the same key the later one wins.

        Several values make KEY an axis; one value sets it, and an axis stays an axis. The value
        `default` leaves a key as if the file did not give it.
        """
        written = self.as_dict()
        for setting in settings:
            apply_setting(written, setting, type(self))
        where = " ".join(f"--set {in_short(setting)}" for setting in settings)
        return type(self).parse(written, where)

    def as_dict(self) -> dict[str, Any]:
        """Give the sweep as plain tables, as its file could have been written."""
        return self.model_dump(mode="json", exclude_none=True)

    def as_json(self) -> str:
        """Give the sweep as JSON text, its axes in their order, for the store's attributes."""
        return json.dumps(self.as_dict())

    def complete(self) -> Self:
        """Give the sweep with every default written out, so that it outlives a change of them."""
        written = self.as_dict()
        given = {*self.axes, *self.parameters, *self.dependent, "widths", *names_with("absent")}
        for name, field in PARAMETERS.items():
            if name in given or field.is_required() or not task_has(self.task, name):
                continue
            if field.default is not None:
                written["parameters"][name] = field.default
        return type(self).parse(written)

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

    @property
    def hash(self) -> str:
        """Hash of the experiment and the names of its axes."""
        text = json.dumps([sorted(self.axes), self.experiment()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
