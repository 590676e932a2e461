"""`mainspring.toml`: what to run, on what, against which venue. Flags win over it.

A value is looked for in the flags, then in variables (`MAINSPRING_RUN__OUT=...`), then
in the file. `mainspring init` writes the JSON schema of the file beside it.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mainspring.backtesting.config import FillModel
from mainspring.errors import ConfigError, NotFoundError

FILE_NAME = "mainspring.toml"
SCHEMA_NAME = "mainspring.schema.json"

DURATION = r"^(0|\d+(\.\d+)?\s*(ns|us|ms|s|m|min|h|d))$"


def _with_unit(text: str) -> str:
    if not re.match(DURATION, text):
        raise ValueError(f"{text!r} is no time with its unit, such as 100ms or 1.5s")
    return text


Duration = Annotated[
    str,
    AfterValidator(_with_unit),
    WithJsonSchema({"type": "string", "pattern": DURATION, "examples": ["100ms", "1.5s"]}),
]
SelfTradePrevention = Literal["cancel_newest", "cancel_oldest", "cancel_both"]
TriggerSource = Literal["last_trade", "mark"]
QueueModel = Literal[
    "risk_averse",
    "prob_power2",
    "prob_power3",
    "prob_power_total2",
    "prob_power_total3",
    "prob_one_minus_power3",
    "prob_log",
    "prob_log2",
    "l3_fifo",
]


class Section(BaseModel):
    """A table of the file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class RunSection(Section):
    """What to run and where to put it."""

    strategy: str | None = None
    """`path.py:Class`, relative to this file; `path.py` when it has one strategy."""
    data: list[str] = []
    """Event files, catalog names, or `sample:NAME` for generated data."""
    out: Path = Path("runs")
    """The folder that runs are written to."""
    every: Duration | None = None
    """Call `on_book` at most this often; without it, on every message."""
    cash: Annotated[Decimal, Field(gt=0)] | None = None
    """Money at the start, in the settlement currency; 100,000 without it."""
    features: list[str] = []
    """Features to compute, such as `ofi` or `ewma_volatility:halflife=60s`."""
    bars: list[str] = []
    """Bars that the kernel builds, such as `1m` or `volume:10`."""
    sample: Duration | None = None
    """Interval of equity samples; chosen from the span without it."""
    report: bool = True
    """Write `report.html` beside the results."""


class VenueSection(Section):
    """How the simulated venue fills orders; the models are in the documentation."""

    fill_model: FillModel = "mainspring"
    """How resting and taking orders are filled."""
    queue_model: QueueModel = "prob_power3"
    """How the queue in front of a resting order is estimated."""
    self_trade: SelfTradePrevention = "cancel_newest"
    """Which order gives way when two of ours would trade with each other."""
    trigger_source: TriggerSource = "last_trade"
    """Which price sets off stops."""


class LatencySection(Section):
    """How long things take on their way."""

    feed: Duration | None = None
    """From the exchange to us, in place of what was recorded."""
    decision: Duration | None = None
    """Of the strategy, before its orders leave."""
    entry: Duration | None = None
    """From us to the venue."""
    response: Duration | None = None
    """From the venue back to us."""


class FeesSection(Section):
    """Fees as fractions of the traded value, in place of the instrument's."""

    maker: Decimal | None = None
    """Such as "0.0002"; negative is a rebate."""
    taker: Decimal | None = None
    """Such as "0.0005"."""


class LimitsSection(Section):
    """Risk limits of every instrument; they only tighten those of the build."""

    max_position: Annotated[Decimal, Field(gt=0)] | None = None
    """Largest absolute position, in units of the base."""
    max_order_qty: Annotated[Decimal, Field(gt=0)] | None = None
    """Largest order, in units of the base."""
    max_order_notional: Annotated[Decimal, Field(gt=0)] | None = None
    """Largest order value, in the settlement currency."""
    max_open_orders: Annotated[int, Field(gt=0)] | None = None
    """Most orders open at once."""
    max_drawdown: Annotated[float, Field(gt=0, le=1)] | None = None
    """Fraction lost from the peak of the equity at which trading halts."""


class RunConfig(BaseSettings):
    """The file that `mainspring backtest` and `mainspring sweep` read; flags win over it."""

    model_config = SettingsConfigDict(
        extra="forbid",
        env_prefix="MAINSPRING_",
        env_nested_delimiter="__",
        use_attribute_docstrings=True,
    )

    run: RunSection = RunSection()
    parameters: dict[str, Any] = {}
    """Parameters of the strategy by name, checked against its annotations."""
    venue: VenueSection = VenueSection()
    latency: LatencySection = LatencySection()
    fees: FeesSection = FeesSection()
    limits: LimitsSection = LimitsSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, which comes in as the initial values."""
        return env_settings, init_settings


def load_config(path: Path | None) -> RunConfig:
    """The configuration in `path`, or in `mainspring.toml` of this folder, or the defaults.

    Paths in the file are relative to it.

    Raises:
        NotFoundError: `path` is given and not there.
        ConfigError: it is not TOML, or a value does not fit; every fault is named.
    """
    file = path or Path(FILE_NAME)
    if not file.is_file():
        if path is not None:
            raise NotFoundError(f"no configuration file {path}")
        return _validated({}, "the environment")
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}") from None
    config = _validated(content, str(file))
    return _relative_to(config, file.parent)


def _validated(content: dict[str, Any], where: str) -> RunConfig:
    try:
        return RunConfig(**content)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()
        )
        raise ConfigError(f"{where}: {faults}") from None


def _relative_to(config: RunConfig, folder: Path) -> RunConfig:
    run = config.run
    if run.strategy and run.strategy.partition(":")[0].endswith(".py"):
        run.strategy = str(folder / run.strategy)
    run.data = [str(folder / one) if (folder / one).exists() else one for one in run.data]
    run.out = folder / run.out
    return config


def json_schema() -> dict[str, Any]:
    """The JSON schema of the file, for editors."""
    schema = RunConfig.model_json_schema()
    schema["title"] = FILE_NAME
    return schema
