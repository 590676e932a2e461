"""`mainspring init`: a project that runs as it is."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

from mainspring.cli.app import verb_app
from mainspring.cli.output import Output
from mainspring.config import FILE_NAME, SCHEMA_NAME, json_schema
from mainspring.errors import InvalidValue

app = verb_app("init", "NAME")

NAME = re.compile(r"^[A-Za-z][A-Za-z0-9._-]*$")

CONFIG = f"""\
#:schema ./{SCHEMA_NAME}
# What `mainspring backtest` runs in this folder. Flags win over it: mainspring backtest --help

[run]
strategy = "strategy.py:Imbalance"
data = ["sample:btcusdt"]   # generated order flow; put event files or catalog names here
every = "100ms"             # look at the book at most this often
out = "runs"

[parameters]
threshold = 0.4
size = 0.01

[venue]
queue_model = "prob_power3" # how the queue in front of our orders is estimated

[latency]
entry = "2ms"               # from us to the venue
response = "2ms"            # and back
"""

PROJECT_FILE = """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["mainspring[report]"]

[dependency-groups]
test = ["pytest"]

[tool.pytest.ini_options]
pythonpath = ["."]
testpaths = ["tests"]
"""

README = """\
# {name}

A strategy for Mainspring.

    mainspring backtest                    # what mainspring.toml says
    mainspring backtest --threshold 0.6    # another value of a parameter
    mainspring sweep --grid threshold=0.2,0.4,0.6
    mainspring check lookahead             # does it see the future?
    python -m pytest                       # its own test

`strategy.py` is the strategy, `mainspring.toml` what it runs on. Runs go to `runs/`.
"""

GITIGNORE = "runs/\n__pycache__/\n.pytest_cache/\n"


@app.default
def init(name: str, /, *, output: Output | None = None) -> None:
    """Make a project: a strategy, its configuration and a test.

    Parameters
    ----------
    name
        The project and its folder; a path makes the folder there. The folder must be new or empty.
    output
        Flags of every verb.
    """
    output = output or Output()
    folder = Path(name)
    if not NAME.match(folder.name):
        raise InvalidValue(f"{folder.name!r}: a project is named by letters, digits, - and _")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidValue(f"{folder} exists and is not empty; choose another name")
    files = project_files(folder.name)
    for relative, text in files.items():
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    document = {"project": folder.name, "folder": str(folder.resolve()), "files": list(files)}
    output.result(document, lambda: f"Made {folder}. Next:\n  cd {folder}\n  mainspring backtest")


def project_files(name: str) -> dict[str, str]:
    """The files of a new project, by their path in it."""
    template = resources.files("mainspring.cli").joinpath("project")
    return {
        "strategy.py": template.joinpath("strategy.py").read_text(encoding="utf-8"),
        "tests/test_strategy.py": template.joinpath("test_strategy.py").read_text(encoding="utf-8"),
        FILE_NAME: CONFIG,
        SCHEMA_NAME: json.dumps(json_schema(), indent=2) + "\n",
        "pyproject.toml": PROJECT_FILE.format(name=name),
        "README.md": README.format(name=name),
        ".gitignore": GITIGNORE,
    }
