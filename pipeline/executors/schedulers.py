"""Names of the schedulers that are started, and the upper limits of a run's options."""

LOCAL = ("processes", "threads", "synchronous")
SRUN = "srun"  # the workers are tasks of the Slurm job in which the command runs
MOST_WORKERS = 4096
MOST_RETRIES = 100
