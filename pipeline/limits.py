"""The largest numbers that commands and functions take; importing them costs nothing else."""

MOST_WORKERS = 4096
MOST_JOBS = 1000  # of a chain or an array
MOST_RETRIES = 100
# Seconds that running trials get after an interruption. Batch systems kill about 10 s (PBS, LSF) or
# 30 s (Slurm) after SIGTERM.
GRACE = 5.0
MOST_GRACE = 86_400.0
MOST_TRIAL_TIMEOUT = MOST_BUDGET = 31_536_000.0  # a year
MOST_RERUN = 1_000_000  # trials
MOST_SEED = 2**63 - 1
MOST_ERROR = 1e15
