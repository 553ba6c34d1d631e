"""Names of the schedulers that are started and of batch systems, and a run's upper limits."""

LOCAL = ("processes", "threads", "synchronous")
SRUN = "srun"  # the workers are tasks of the Slurm job in which the command runs
SYSTEMS = ("slurm", "pbs", "sge", "lsf", "htcondor", "oar")
MOST_WORKERS = 4096
MOST_RETRIES = 100
# Seconds that running trials get after an interruption. Batch systems kill about 10 s (PBS, LSF) or
# 30 s (Slurm) after SIGTERM.
GRACE = 5.0
MOST_GRACE = 86_400.0
MOST_TRIAL_TIMEOUT = 31_536_000.0  # a year
