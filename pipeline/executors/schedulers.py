"""Names of the local schedulers and of batch systems, and the upper limits of a run's options."""

LOCAL = ("processes", "threads", "synchronous")
SYSTEMS = ("slurm", "pbs", "sge", "lsf", "htcondor", "oar")
MOST_WORKERS = 4096
MOST_RETRIES = 100
