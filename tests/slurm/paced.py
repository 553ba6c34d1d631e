"""A task that installed packages offer to every process of a job: the scripted one, paced."""

import json
import os
from typing import Any

from helpers import Scripted


class Paced(Scripted):
    """The scripted task as the environment describes it, which every process of a job has."""

    name: str = "paced"

    def __init__(self) -> None:
        super().__init__(**{**json.loads(os.environ["PACED"]), "name": "paced"})

    def __reduce__(self) -> Any:
        return Paced, ()
