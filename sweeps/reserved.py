"""Names that stores use, which no axis of one's own may have."""

from .readings import reserved_by_others

# What every store has. What trials give and what analyses are called is told to this package.
OF_STORES = ("trial", "status", "seconds", "error", "analysis")


def reserved_names() -> set[str]:
    """Give all names that a store may use for something else than an axis."""
    return {*OF_STORES, *reserved_by_others()}
