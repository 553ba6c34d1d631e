"""Names of the schedulers that are started and of batch systems, and a run's upper limits."""

LOCAL = ("processes", "threads", "synchronous")
SRUN = "srun"  # the workers are tasks of the Slurm job in which the command runs
SYSTEMS = ("slurm", "pbs", "sge", "lsf", "htcondor", "oar")
MOST_WORKERS = 4096
MOST_RETRIES = 100
