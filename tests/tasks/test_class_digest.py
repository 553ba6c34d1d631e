"""The digest of a class changes with all that may change its results, and with nothing else."""

import copy
import inspect
import subprocess
import sys
from typing import Any

import cloudpickle
import pytest

from genprior.tasks.class_digest import class_digest

CLASS = '''
from math import sqrt
import numpy as np
from pydantic import Field, create_model
from genprior.sweeps.parameter import quantity
from genprior.sweeps.tables import Strict

FACTOR = 2.0
TABLE = {"a": [1, 2], "b": np.arange(3)}

def helper(x):
    return inner(x) + 1

def inner(x):
    return 3 * x

def make(value):
    class Inner:
        def run(self):
            return value
    return Inner

class Base:
    def gradient(self, x):
        return x

class Settings(Strict):
    share: float = quantity(0.5, "share", gt=0, le=1, draws=True)

class Trial:
    def run(self):
        return [n for n in range(4) if n > 0.5]

class Mine(Base):
    """A class."""
    name = "mine"
    table = ("settings", Settings)
    made = make(1.0)

    def draw(self, x, scale=1.5):
        """Draw."""
        # A comment.
        return FACTOR * sqrt(helper(x)) * TABLE["a"][0] * scale, Trial

    @classmethod
    def check(cls):
        return lambda x: x + 1
'''
CHANGES = {
    "a constant of the module": ("FACTOR = 2.0", "FACTOR = 2.5"),
    "an item of a dictionary": ("[1, 2]", "[1, 3]"),
    "an array": ("np.arange(3)", "np.arange(4)"),
    "a helper function": ("3 * x", "4 * x"),
    "a closure": ("make(1.0)", "make(0.5)"),
    "a base class": ("return x\n\nclass Settings", "return -x\n\nclass Settings"),
    "a default of a parameter": ("quantity(0.5", "quantity(0.25"),
    "a bound of a parameter": ("gt=0", "gt=0.1"),
    "the class of a trial": ("n > 0.5", "n > 1.5"),
    "a default of a method": ("scale=1.5", "scale=2.5"),
    "a function inside a method": ("x + 1\n", "x + 2\n"),
    "an attribute": ('name = "mine"', 'name = "other"'),
    "an imported function": ("from math import sqrt", "from cmath import sqrt"),
}
NO_CHANGES = {
    "a docstring": ('"""Draw."""', '"""Draw, as nobody did before."""'),
    "the docstring of the class": ('"""A class."""', '"""One of the classes."""'),
    "a comment": ("# A comment.", "# Another comment.\n\n"),
    "what nothing refers to": ("FACTOR = 2.0", "FACTOR = 2.0\nOTHER = 3"),
}


def digest(source: str) -> str:
    """The digest of a class in a notebook: Python has no file of its source."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(source, names)
    return class_digest(names["Mine"])


@pytest.mark.parametrize("change", CHANGES)
def test_what_may_change_results_changes_the_digest(change: str) -> None:
    old, new = CHANGES[change]
    assert CLASS.count(old) == 1
    assert digest(CLASS.replace(old, new)) != digest(CLASS)


@pytest.mark.parametrize("change", NO_CHANGES)
def test_what_changes_no_result_leaves_the_digest(change: str) -> None:
    old, new = NO_CHANGES[change]
    assert CLASS.count(old) == 1
    assert digest(CLASS.replace(old, new)) == digest(CLASS)


def test_the_digest_is_that_of_any_other_process() -> None:
    """No address, no hash of text and no order of a set is in it."""
    source = CLASS + "\n    kinds = {'a', 'b', 'c', 'd'}\n    thing = object()\n"
    script = (
        f"from genprior.tasks.class_digest import class_digest\n{source}\nprint(class_digest(Mine))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.strip() == digest(source)


def test_a_class_that_refers_to_itself_has_a_digest() -> None:
    source = CLASS + "\n    def again(self):\n        return Mine\nMine.own = Mine\n"
    assert digest(source) == digest(source) != digest(CLASS)


def test_the_use_of_a_class_leaves_its_digest() -> None:
    """Pickling an object, for one, has Python add `__slotnames__` to the class."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(CLASS, names)
    mine = names["Mine"]
    before = class_digest(mine)
    copy.copy(mine())
    cloudpickle.loads(cloudpickle.dumps(mine()))
    assert "__slotnames__" in vars(mine)
    inspect.signature(mine.draw)
    assert class_digest(mine) == before
