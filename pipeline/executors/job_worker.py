"""The workers of a job of a batch system: `python -m genprior.pipeline.executors.job_worker`.

It takes the arguments of `dask worker`. Its servers have a folder that only this user can write,
and the workers have no HTTP server.
"""

import argparse
import sys


def main() -> None:
    """Run workers until their scheduler or their lifetime ends."""
    from distributed.cli.dask_worker import main as dask_worker

    from .local_cluster import our_configuration
    from .private import PrivateWorker, own_folder

    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    reader.add_argument("--local-directory")
    known, others = reader.parse_known_args(sys.argv[1:])
    kind = f"{PrivateWorker.__module__}.{PrivateWorker.__name__}"
    ours = ["--local-directory", own_folder(known.local_directory), "--worker-class", kind]
    with our_configuration():
        dask_worker([*others, *ours, "--no-dashboard"])


if __name__ == "__main__":
    main()
