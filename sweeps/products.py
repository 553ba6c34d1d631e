"""Values of dependent parameters: products in decimal arithmetic, and entries of tables."""

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal, localcontext
from typing import Any

import numpy as np

from .dependent import Dependent
from .errors import SweepError, shown
from .labels import value_label
from .parameter import is_whole
from .parameters import PARAMETERS
from .values import check_value

LARGEST_FACTOR = 1e15
EXACT_DIGITS = 40  # a product of two floats has at most 34
MOST_PLACES, LARGEST_INTEGER = 15, 2**52
HALF = Decimal("0.5")


def products(
    name: str, rule: Dependent, spread: Mapping[str, np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """Multiply `times` and `of` over the whole grid; check the smallest and the largest product.

    10⁶ products take half a second, or two seconds if the numbers have many digits.

    Args:
        name: the parameter that is computed.
        rule: its rule, which has no table and no list.
        spread: the inputs, broadcastable to the shape.
        shape: shape of the result.

    Raises:
        SweepError: a factor is not a number, or a product is out of bounds.
    """
    given = spread[rule.times] if isinstance(rule.times, str) else np.array(rule.times, object)
    factors, base = np.atleast_1d(given), np.atleast_1d(spread[str(rule.of)])
    for factor in {factor for factor in factors.ravel() if not _is_factor(factor)}:
        _refuse(name, rule, factor, base.flat[0])
    for number in {number for number in base.ravel() if not _is_factor(number)}:
        _refuse(name, rule, factors.flat[0], number)
    with localcontext(prec=EXACT_DIGITS):
        exact = _exact(_decimals(factors), _decimals(base), _is_whole(name))
    values = exact.reshape(shape)
    for flat in {int(values.argmin()), int(values.argmax())}:
        place = np.unravel_index(flat, shape)
        try:
            check_value(name, values[place])
        except SweepError as error:
            inputs = {each: np.broadcast_to(spread[each], shape)[place] for each in rule.inputs}
            at = ", ".join(f"{each}={value_label(value)}" for each, value in inputs.items())
            raise SweepError(f"dependent.{name} at {at}: {error}") from None
    return values


def computed(name: str, rule: Dependent, given: Mapping[str, Any]) -> Any:
    """Compute one value from a table or a list of factors, which `products` does not take.

    Args:
        name: the parameter that is computed.
        rule: its rule.
        given: the inputs of one point.

    Raises:
        SweepError: the table has no entry for the value, or a factor is not a number.
    """
    factor: Any = rule.times
    if rule.table is not None and rule.by is not None:
        factor = _entry(name, rule.table, rule.by, given[rule.by])
    if rule.of is None:
        return factor
    base = given[rule.of]
    if isinstance(factor, list):
        return [_whole(_product(name, rule, each, base)) for each in factor]
    product = _product(name, rule, factor, base)
    return _whole(product) if _is_whole(name) else float(product)


def _is_whole(name: str) -> bool:
    return is_whole(PARAMETERS[name].annotation)


def _entry(name: str, table: dict[str, Any], by: str, value: Any) -> Any:
    """Look up a value in a table, whose keys are labels."""
    label = "default" if value is None else value_label(value)
    if label not in table:
        raise SweepError(
            f"dependent.{name}: the table has no entry for {by} = {label}; it has "
            f"{', '.join(table) or 'none'}."
        )
    return table[label]


def _product(name: str, rule: Dependent, factor: Any, base: Any) -> Decimal:
    if not (_is_factor(factor) and _is_factor(base)):
        _refuse(name, rule, factor, base)
    with localcontext(prec=EXACT_DIGITS):
        return Decimal(repr(factor)) * Decimal(repr(base))


def _is_factor(number: Any) -> bool:
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return is_number and abs(number) < LARGEST_FACTOR


def _refuse(name: str, rule: Dependent, factor: Any, base: Any) -> None:
    for number, given in ((factor, rule.times), (base, rule.of)):
        if number is None:
            raise SweepError(
                f"dependent.{name}: '{given}' is not given, and its default is not a number; "
                "give it."
            )
    raise SweepError(f"dependent.{name}: cannot multiply {shown(factor)} by {shown(base)}.")


def _decimals(numbers: np.ndarray) -> np.ndarray:
    """Convert numbers to decimals as they are written: 1.15 is exact."""
    decimals: np.ndarray = np.frompyfunc(lambda number: Decimal(repr(number)), 1, 1)(numbers)
    return decimals


def _exact(factors: np.ndarray, base: np.ndarray, whole: bool) -> np.ndarray:
    """Multiply decimals without rounding, then round once: to integers, or to floats.

    NumPy gives the same result faster if each product is an integer below 2⁵² divided by a power of
    ten below 2⁵⁰.
    """
    places = _decimal_places(factors) + _decimal_places(base)
    largest = abs(factors).max() * abs(base).max()
    rounded: np.ndarray
    if places <= MOST_PLACES and largest.scaleb(places) < LARGEST_INTEGER:
        integers = [_integers(each, _decimal_places(each)) for each in (factors, base)]
        product, unit = np.multiply(*integers), 10**places
        rounded = (2 * product + unit) // (2 * unit) if whole else product / unit
        return rounded.astype(object)
    rounded = np.frompyfunc(_whole if whole else float, 1, 1)(factors * base)
    return rounded


def _decimal_places(numbers: np.ndarray) -> int:
    exponents = (int(number.as_tuple().exponent) for number in numbers.ravel())
    return max(0, -min(exponents))


def _integers(numbers: np.ndarray, places: int) -> np.ndarray:
    scaled: np.ndarray = np.frompyfunc(lambda number: int(number.scaleb(places)), 1, 1)(numbers)
    return scaled.astype(np.int64)


def _whole(value: Decimal) -> int:
    """Round to the nearest integer, halves up."""
    return int((value + HALF).to_integral_value(ROUND_FLOOR))
