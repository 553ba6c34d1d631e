"""Names of the local schedulers, and the upper limits of a run's options."""

LOCAL = ("processes", "threads", "synchronous")
MOST_WORKERS = 4096
MOST_RETRIES = 100
