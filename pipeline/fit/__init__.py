"""How analyses of a store are computed, stored, and told to be outdated."""
