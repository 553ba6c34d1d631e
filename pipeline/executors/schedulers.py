"""Names of the schedulers that are started and of batch systems."""

LOCAL = ("processes", "threads", "synchronous")
SRUN = "srun"  # the workers are tasks of the Slurm job in which the command runs
SYSTEMS = ("slurm", "pbs", "sge", "lsf", "htcondor", "oar")
