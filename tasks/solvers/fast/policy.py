"""Choose which regimes pay, by sizes and counts, never by the clock."""

from math import ceil

from .least_squares import LeastSquares

LONGEST_WAIT = 16  # times the first wait
AFFORDED = 0.05  # part of the steps that regions which do not pay may cost
MOST_CREDIT = 8  # regions


class Policy:
    """Which regimes pay for a problem, and when steps in closed form pay.

    They pay after as many steps without a flip as they cost. A region that is left sooner doubles
    the wait for the next region, and regions that do not pay may cost a twentieth of all steps.

    Every choice gives the same result; another one than that by sizes serves to measure or to test
    the regimes.

    Args:
        form: its sizes decide what is not given.
        folds: see Attributes.
        reduces: see Attributes.
        price: see Attributes.
        credit: steps that may be spent on regions before any has paid; the price if not given.

    Attributes:
        folds: whether it pays to fold the layers below the last.
        reduces: whether any regime but the plain steps and the closed form pays.
        price: cost of a linear region, in steps.
    """

    def __init__(
        self,
        form: LeastSquares,
        *,
        folds: bool | None = None,
        reduces: bool | None = None,
        price: int | None = None,
        credit: float | None = None,
    ):
        # Microseconds on one processor, fitted to measurements. They affect the speed only, never
        # the result.
        first, *others = form.weights
        k, depth, m = first.shape[1], len(others) + 1, form.observed.size
        inner = sum(weight.size for weight in others)
        units = sum(weight.shape[0] for weight in others)
        network = 0.23e-3 * form.evaluation_cost
        self.folds = 0.23e-3 * inner > 15 + 1e-3 * k * units if folds is None else folds
        kept = 20 + 0.1e-3 * k * (units + first.shape[0] + 2 * m)
        self.reduces = (self.folds or network > kept) if reduces is None else reduces
        a_step = 30 + 0.15 * k if self.reduces else 15 + 8 * depth + network
        a_region = 150 + 0.09 * k * k + (0 if self.reduces else 250 + 60 * depth)
        self.price = ceil(a_region / a_step) if price is None else price
        self._wait, self._steps = self.price, 0
        self._credit = float(self.price if credit is None else credit)

    def count(self, flipped: bool, steps: int = 1) -> None:
        """Count steps, and whether a unit flipped in them."""
        self._steps = 0 if flipped else self._steps + steps
        self._credit += AFFORDED * steps

    @property
    def is_quiet(self) -> bool:
        """Whether no unit has flipped for long enough."""
        return bool(self._steps >= self._wait and self._credit >= self.price)

    def learn(self, steps: int) -> None:
        """Adapt wait and credit to the number of steps that a region lasted."""
        self._steps = 0
        self._credit = min(self._credit + steps - self.price, MOST_CREDIT * self.price)
        longest = LONGEST_WAIT * self.price
        self._wait = self.price if steps >= self._wait else min(2 * self._wait, longest)
