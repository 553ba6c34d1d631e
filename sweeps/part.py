"""A part of a sweep, for runs that share its trials among them."""

from dataclasses import dataclass

from .errors import UserError, shown

MOST_PARTS = 100_000


class PartError(UserError):
    """There is no such part."""

    exit_status = 2


@dataclass(frozen=True)
class Part:
    """One of several disjoint parts of a sweep; `index` counts from 1 to `count`."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Read a part from a text such as 3/16, the third of sixteen.

        Raises:
            PartError: it is no such text, or there is no such part.
        """
        index, slash, count = text.partition("/")
        numbers = [n.strip() for n in (index, count)]
        if not (slash and all(n.isascii() and n.isdigit() and len(n) < 10 for n in numbers)):
            raise PartError(f"part {shown(text)}: give two whole numbers, such as 3/16.")
        part = cls(*map(int, numbers))
        if not 1 <= part.count <= MOST_PARTS:
            raise PartError(f"part {text}: the number of parts is from 1 to {MOST_PARTS:,}.")
        if not 1 <= part.index <= part.count:
            raise PartError(f"part {text}: parts are counted from 1 to {part.count}.")
        return part
