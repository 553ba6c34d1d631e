"""The largest numbers that options of `verify` take; commands import them without anything else."""

MOST_RERUN = 1_000_000  # trials
MOST_SEED = 2**63 - 1
