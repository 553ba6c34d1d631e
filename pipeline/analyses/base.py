"""The base class of analyses: settings in the sweep file, numbers, rows, table and picture."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from ...sweeps import Grid, Sweep, SweepError
from ...sweeps.readings import Reading

# Analyses are imported whenever a sweep file is read. Libraries that they compute and draw with are
# imported only when they do.
if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.table import Table

    from ...store import StoreInfo
    from ..fit.group_calls import GroupCalls
    from ..show.canvas import Look


class Request:
    """One request for analyses of a store, from `fit` or `plot`.

    Attributes:
        info: the store.
        along: the axis of the transition that the command names; None to use the sweep's.
        below: the error below which a trial succeeds, if the command judges success again.
        trials: the results of the store at one moment.
        fits: the analyses made so far for this request, by name.
        call_each: calls a function for each of many groups, on workers if the request has some.
    """

    def __init__(
        self,
        info: "StoreInfo",
        along: str | None = None,
        calls: "GroupCalls | None" = None,
        below: float | None = None,
    ):
        from ..fit.group_calls import GroupCalls
        from ..fit.trials import Trials

        self.along, self.below = along, below
        self.call_each = calls or GroupCalls()
        self.trials: Trials = Trials(info, below)
        # If trials are placed, it has the values at which they were.
        self.info: StoreInfo = self.trials.info
        self.fits: dict[str, xr.Dataset] = {}

    @property
    def sweep(self) -> Sweep:
        """The sweep of the store."""
        return self.info.sweep

    @property
    def axis(self) -> str | None:
        """The axis of the transition; None if neither command nor sweep names one."""
        return self.along or self.sweep.fit.along


class Analysis(Reading, ABC):
    """One analysis of a store's results, stored in the group `analysis/<name>`.

    The numbers are computed in `genprior.tasks`. This class says what a sweep asks for, and how the
    numbers are labelled, stored and shown.

    Attributes:
        json_name: key of its rows in the output of `fit --json`.
        counted_like: the variable over whose dimensions crashed trials are counted in `crashed`;
            "" to count none.
        takes_along: whether it depends on the axis that `fit --along` names.
        reads_trials: whether it is made from trials; if False, it is made from the sweep alone, and
            `fit` makes it again only if the sweep changes.
        version: a number that changes when its numbers or its variables do; analyses that another
            version stored are made again.
        rank: if several analyses claim the picture of a store, that of the highest rank draws it.
        drawn_instead: name of the analysis that is drawn while this one cannot be made; None for
            none.
        no_log: why the horizontal axis cannot be logarithmic; "" if it can.
    """

    json_name: ClassVar[str]
    counted_like: ClassVar[str] = ""
    takes_along: ClassVar[bool] = False
    reads_trials: ClassVar[bool] = True
    version: ClassVar[int] = 1
    rank: ClassVar[int] = 10
    drawn_instead: ClassVar[str | None] = None
    no_log: ClassVar[str] = ""
    explained: ClassVar[tuple[str, ...]] = (
        *Reading.explained,
        "asked", "check_request", "refuse", "compute", "design", "design_text", "records",
        "summary", "table", "shows", "drawn_along", "draw",
    )  # fmt: skip

    def asked(self, info: "StoreInfo", along: str | None) -> dict[str, Any] | None:
        """Give everything in a sweep on which the analysis depends, apart from trials.

        Args:
            info: the store.
            along: the axis that a command names for the transition; None to use the sweep's.

        Returns:
            The settings as plain values; None if the sweep does not ask for the analysis.
        """
        settings = self.settings_of(info.sweep)
        return None if settings is None else dict(settings.model_dump(mode="json"))

    def check_request(self, request: Request) -> None:
        """Refuse a request that is impossible as a whole, before anything is computed.

        Raises:
            SweepError: the command asks for something impossible.
        """

    def refuse(self, request: Request) -> None:
        """Refuse a store for which the analysis cannot be made; `fit` then leaves it out.

        Raises:
            SweepError: the reason, which `fit` prints.
        """

    @abstractmethod
    def compute(self, request: Request) -> "xr.Dataset":
        """Compute the analysis.

        Returns:
            A labelled dataset; every variable has a `long_name` and, if numeric, `units`.

        Raises:
            SweepError: it cannot be computed from the results.
        """

    def design(self, grid: Grid) -> list[dict[str, Any]]:
        """Say before a run what the analysis will be able to tell, as rows of plain values.

        `plan` prints them. An analysis that cannot say gives none.

        Raises:
            SweepError: the grid cannot give what the sweep asks for.
        """
        return []

    def design_text(self, rows: list[dict[str, Any]]) -> str:
        """Write what `design` gives as lines of text."""
        return "\n".join(", ".join(f"{key} {value}" for key, value in row.items()) for row in rows)

    @abstractmethod
    def records(self, dataset: "xr.Dataset") -> list[dict[str, Any]]:
        """Give the analysis as rows of plain values, without NaN."""

    def summary(self, dataset: "xr.Dataset") -> dict[str, Any]:
        """Give what `fit --json` prints once for all rows: the level of the intervals."""
        return {"level": dataset.attrs["level"]} if "level" in dataset.attrs else {}

    @abstractmethod
    def table(self, dataset: "xr.Dataset") -> "Table":
        """Give the analysis as a printed table."""

    def shows(self, info: "StoreInfo") -> bool:
        """Say whether the analysis claims the picture of a store."""
        return False

    def drawn_along(self, info: "StoreInfo") -> str | None:
        """Give the axis of a transition that the picture needs; None to use the sweep's."""
        return None

    def draw(self, request: Request, dataset: "xr.Dataset", look: "Look") -> "Figure":
        """Draw the analysis.

        Raises:
            SweepError: there are too many curves or panels, or the options are impossible.
            StoreError: there is nothing to draw yet.
        """
        raise SweepError(f"{request.info.path}: analysis {self.name!r} has no picture.")
