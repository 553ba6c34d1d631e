"""What an analysis is: from its table in a sweep file to its table, its rows and its picture."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from ...sweeps import Sweep
from ...sweeps.readings import Reading

# An analysis is imported to read a sweep file; what it computes and draws with, when it does.
if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.table import Table

    from ...store import StoreInfo
    from ..canvas import Look


class Request:
    """One request for analyses of a store, by `fit` or by `plot`.

    Attributes:
        info: the store.
        along: the axis of the transition that the command names; None if the sweep does.
        trials: the results, all of one reading.
        fits: the analyses made so far for this request, by name.
    """

    def __init__(self, info: "StoreInfo", along: str | None = None):
        from ..trials import Trials

        self.info, self.along = info, along
        self.trials: Trials = Trials(info)
        self.fits: dict[str, xr.Dataset] = {}

    @property
    def sweep(self) -> Sweep:
        """The sweep of the store."""
        return self.info.sweep

    @property
    def axis(self) -> str | None:
        """The axis of the transition; None without one."""
        return self.along or self.sweep.fit.along


class Analysis(Reading, ABC):
    """One analysis of a store's results, kept in the group `analysis/<name>` of the store.

    Numbers are computed in `genprior.tasks`; here is what is asked, labelled, stored and shown.

    Attributes:
        json_name: the key of its rows in what `fit --json` prints.
        counted_like: the variable over whose dimensions crashed trials are counted in `crashed`;
            "" where nothing is counted.
        takes_along: whether it depends on the axis that `fit --along` names.
        reads_trials: whether it is made of trials; else of the sweep alone, so that `fit` does not
            make it again while the sweep stays.
        version: a number that changes when its numbers or its variables do; those that were stored
            by another one are made again.
        rank: of several that claim the picture, the one of the highest rank draws it.
        no_log: why the axis below cannot be logarithmic; "" where it can.
    """

    json_name: ClassVar[str]
    counted_like: ClassVar[str] = ""
    takes_along: ClassVar[bool] = False
    reads_trials: ClassVar[bool] = True
    version: ClassVar[int] = 1
    rank: ClassVar[int] = 10
    no_log: ClassVar[str] = ""

    def asked(self, info: "StoreInfo", along: str | None) -> dict[str, Any] | None:
        """Give all of a sweep that decides the analysis; None if the sweep does not ask for it.

        Args:
            info: the store.
            along: the axis that a command names for the transition; None if the sweep does.
        """
        settings = self.settings_of(info.sweep)
        return None if settings is None else dict(settings.model_dump(mode="json"))

    def check_request(self, request: Request) -> None:
        """Refuse a request as a whole, before anything is computed.

        Raises:
            SweepError: what the command asks for cannot be.
        """

    def refuse(self, request: Request) -> None:
        """Refuse a store that cannot have the analysis; `fit` then leaves it out, and says why.

        Raises:
            SweepError: with the reason.
        """

    @abstractmethod
    def compute(self, request: Request) -> "xr.Dataset":
        """Make the analysis, a labelled dataset; every variable has a long_name and units.

        Raises:
            SweepError: the results do not allow it.
        """

    @abstractmethod
    def records(self, dataset: "xr.Dataset") -> list[dict[str, Any]]:
        """Give the analysis as rows of plain values, without NaN."""

    def summary(self, dataset: "xr.Dataset") -> dict[str, Any]:
        """Give what `fit --json` says of all rows together: the level of the intervals."""
        return {"level": dataset.attrs["level"]} if "level" in dataset.attrs else {}

    @abstractmethod
    def table(self, dataset: "xr.Dataset") -> "Table":
        """Give the analysis as a table for people."""

    def shows(self, info: "StoreInfo") -> bool:
        """Say whether it claims the picture of a store."""
        return False

    def drawn_along(self, info: "StoreInfo") -> str | None:
        """Name the axis of a transition that the picture asks for; None if the sweep does."""
        return None

    def draw(self, request: Request, dataset: "xr.Dataset", look: "Look") -> "Figure":
        """Draw the analysis.

        Raises:
            SweepError: there is too much to draw.
            StoreError: there is nothing to draw yet.
        """
        raise NotImplementedError
