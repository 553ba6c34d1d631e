"""Names that stores use. An axis that only multiplies cannot have such a name."""

from .readings import reserved_by_others

# Names in every store. Variables of trials and analyses are registered by other packages.
OF_STORES = ("trial", "probe", "round", "status", "seconds", "error", "analysis")


def reserved_names() -> set[str]:
    """Give all names that a store may use for something other than an axis."""
    return {*OF_STORES, *reserved_by_others()}
