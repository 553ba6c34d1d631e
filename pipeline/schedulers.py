"""Names of the schedulers that genprior starts itself."""

LOCAL = ("processes", "threads", "synchronous")
