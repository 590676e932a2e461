"""`mainspring bench`: the committed benchmarks."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

from cyclopts import Parameter

from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output, table
