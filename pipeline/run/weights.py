"""Weights files on the workers: they have to be those of the run."""

import socket

from ...sweeps import UserError
from ...tasks.generators import weights_digest
from .block_task import BlockTask


def check_weights(task: BlockTask) -> None:
    """Refuse weights files that differ from those where the run was started.

    Raises:
        UserError: a file cannot be read or differs; the message has both digests.
    """
    for path, expected in task.weights.items():
        try:
            digest = weights_digest(path)
        except ValueError as error:
            raise UserError(
                f"a worker on {socket.gethostname()}: {error} Give a path that is the same file on "
                "all workers."
            ) from None
        if digest != expected:
            raise UserError(
                f"a worker on {socket.gethostname()}: weights {path!r} have the SHA-256 "
                f"{digest[:12]}… there and had {expected[:12]}… where the run was started. Give "
                "all workers the same file, and do not change it while they run."
            )
