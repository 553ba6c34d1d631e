"""Print the lower bounds of pyproject.toml as constraints, `name==version` a line."""

import re
import tomllib
from itertools import chain
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
for requirement in chain(project["dependencies"], *project["optional-dependencies"].values()):
    bound = re.fullmatch(r"([\w.-]+)(?:\[.*\])?>=([\w.]+)", requirement)
    if bound:
        print(f"{bound[1]}=={bound[2]}")
