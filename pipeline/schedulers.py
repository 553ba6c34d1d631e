"""Names of the schedulers that genprior starts itself, and what may be asked of a run."""

LOCAL = ("processes", "threads", "synchronous")
MOST_WORKERS = 4096
MOST_RETRIES = 100
