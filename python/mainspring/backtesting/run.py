"""A finished run: what went in, what came out, and figures of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring import _core
from mainspring.backtesting import storage
from mainspring.errors import DataError

if TYPE_CHECKING:
    from mainspring._core import RunLog, Table
    from mainspring.analytics import Summary
    from mainspring.backtesting.mids import Mids
    from mainspring.orders import OrderHistory

FORMAT = 1


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Everything of a run but its output records."""

    hash: str
    log_hash: str
    records: int
    config: dict[str, Any]
    strategies: list[dict[str, Any]]
    data: list[dict[str, Any]]
    engine: dict[str, Any]
    failures: list[str | None]
    ended: str | None
    elapsed_s: float
    format: int = FORMAT

    @classmethod
    def of(
        cls,
        log: Any,
        config: dict[str, Any],
        identities: Sequence[dict[str, Any]],
        paths: Sequence[Path],
        elapsed_s: float,
    ) -> RunFacts:
        """The facts of a run that just ended."""
        data = [json.loads(_core.file_facts(str(path.absolute()))) for path in paths]
        return cls(
            hash=run_hash(config, identities, data, log.hash),
            log_hash=log.hash,
            records=log.records,
            config=config,
            strategies=list(identities),
            data=data,
            engine={**json.loads(log.facts), "version": _core.__version__},
            failures=list(log.failures),
            ended=log.ended,
            elapsed_s=elapsed_s,
        )

    def to_dict(self) -> dict[str, Any]:
        """For `run.json`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> RunFacts:
        """From `run.json`.

        Raises:
            DataError: When it is not what this version wrote.
        """
        if facts.get("format") != FORMAT:
            raise DataError(
                f"stored run of format {facts.get('format')!r}; this version reads {FORMAT}"
            )
        if "seal" not in facts:
            raise DataError("stored run without the hash of its run.json: it was changed")
        try:
            return cls(**{name: value for name, value in facts.items() if name != "seal"})
        except TypeError as error:
            raise DataError(f"stored run: {error}") from None


def run_hash(
    config: Mapping[str, Any],
    identities: Sequence[Mapping[str, Any]],
    data: Sequence[Mapping[str, Any]],
    log_hash: str,
) -> str:
    """Hash over inputs, parameters, code and outputs; where files lie does not enter."""
    strategies = [
        {k: v for k, v in one.items() if k not in ("file", "module")} for one in identities
    ]
    content = {
        "config": config,
        "strategies": strategies,
        "data": [one["hash"] for one in data],
        "outputs": log_hash,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Run:
    """The results of `ms.backtest`.

    The tables `fills`, `orders`, `equity` and `positions` are described in the reference; polars,
    pandas, pyarrow and duckdb take them as they are.
    """

    def __init__(self, log: bytes | RunLog, facts: RunFacts) -> None:
        self.facts = facts
        self.folder: Path | None = None
        self._log = log

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """Reads a stored run, checking its hashes.

        Raises:
            NotFoundError: When there is none.
            DataError: When it is damaged or was changed.
        """
        facts_dict, log_bytes = storage.read_run(folder)
        try:
            run = cls(log_bytes, RunFacts.from_dict(facts_dict))
            log_hash = run._tables[5]
        except DataError as error:
            raise DataError(f"{folder}: {error}") from None
        run.folder = Path(folder)
        if log_hash != run.facts.log_hash:
            raise DataError(f"{folder}: the log is complete in itself but is not this run's")
        return run

    def save(self, folder: str | Path) -> Path:
        """Stores the run in a folder, whole or not at all.

        Raises:
            StorageError: When it cannot be written.
        """
        storage.write_run(Path(folder), self.facts.to_dict(), self.log_bytes)
        self.folder = Path(folder)
        return self.folder

    @cached_property
    def _tables(self) -> tuple[Table, Table, Table, Table, list[tuple[int, str]], str]:
        if isinstance(self._log, bytes):
            return _core.read_run_log(self._log, json.dumps(self.instruments))
        return self._log.tables()

    @property
    def fills(self) -> Table:
        """One row per fill."""
        return self._tables[0]

    @property
    def orders(self) -> Table:
        """One row per change of an order's state."""
        return self._tables[1]

    @property
    def equity(self) -> Table:
        """One row per sample of the account."""
        return self._tables[2]

    @property
    def positions(self) -> Table:
        """One row per sample of each position."""
        return self._tables[3]

    @cached_property
    def mids(self) -> Mids | None:
        """Every change of our mid price by instrument: ``time_ns``, ``mid``, ``interval_ns``.

        Read from the run's data on first use (see `mainspring.backtesting.mids`); None when the
        data is not there any more.
        """
        from mainspring.backtesting.mids import read_mids

        return read_mids(self)

    def order_history(self, order_id: int) -> OrderHistory:
        """The life of an order: every state with its time and reason, its fills, its latencies.

        Raises:
            NotFoundError: The run has no such order.
        """
        from mainspring.orders import history_of_run

        return history_of_run(self, order_id)

    @property
    def rounds(self) -> dict[str, int] | None:
        """Counts of what the rules of reconciling did; None without rules.

        ``rounds``, ``resumed`` by a timer, requests that were ``deferred``, orders ``refused`` and
        ``held_cancels`` for want of budget.
        """
        counts: dict[str, int] | None = self.facts.engine.get("rounds")
        return counts

    @property
    def messages(self) -> list[tuple[int, str]]:
        """What the engine had to say: (time_ns, text)."""
        return self._tables[4]

    @property
    def hash(self) -> str:
        """Hash over inputs, parameters, code and outputs: equal hashes, equal runs."""
        return self.facts.hash

    @property
    def log_bytes(self) -> bytes:
        """The output log as it is stored."""
        return self._log if isinstance(self._log, bytes) else self._log.to_bytes()

    @property
    def instruments(self) -> list[dict[str, Any]]:
        """Definitions; the tables' ``instrument`` is the index."""
        instruments: list[dict[str, Any]] = self.facts.engine["instruments"]
        return instruments

    @property
    def strategies(self) -> list[str]:
        """Names; the tables' ``strategy`` is the index."""
        return [str(one["name"]) for one in self.facts.strategies]

    @property
    def failures(self) -> list[str | None]:
        """For each strategy why it was stopped, or None."""
        return self.facts.failures

    @property
    def config(self) -> dict[str, Any]:
        """Everything that was configured, parameters of strategies included."""
        currency = self.facts.engine["report_currency"]
        return {
            **self.facts.config,
            "report_currency": currency,
            "sample_ns": self.facts.engine["sample_ns"],
            "strategies": self.facts.strategies,
        }

    @property
    def data(self) -> list[dict[str, Any]]:
        """The inputs: ``source``, ``hash``, ``rows``, ``span_ns``, ``clock`` of each."""
        return self.facts.data

    @property
    def counts(self) -> dict[str, Any]:
        """Rows, messages, callbacks, orders, fills and the like, and events per second."""
        counts: dict[str, Any] = dict(self.facts.engine["counts"])
        elapsed = self.facts.elapsed_s
        counts["elapsed_s"] = elapsed
        counts["events_per_s"] = counts["rows"] / elapsed if elapsed > 0 else None
        return counts

    @property
    def codes(self) -> dict[str, dict[str, str]]:
        """Names of the codes in the orders table."""
        codes: dict[str, dict[str, str]] = json.loads(_core.order_codes())
        return codes

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last logical time."""
        first, last = self.facts.engine["span_ns"]
        return first, last

    def summary(self) -> Summary:
        """The figures of the run, with the conventions they follow."""
        from mainspring.analytics import summary

        return summary(self)

    def report(self, path: str | Path = "report.html") -> Path:
        """Writes the report, one HTML file that needs no network, and returns its path.

        Raises:
            ConfigError: When the extra `report` is not installed.
        """
        from mainspring.analytics import report

        report(self, path)
        return Path(path)

    def __repr__(self) -> str:
        counts = self.facts.engine["counts"]
        return (
            f"<Run {', '.join(self.strategies)}: {counts['rows']:,} rows, "
            f"{counts['orders']:,} orders, {counts['fills']:,} fills, hash {self.hash[:12]}>"
        )

    def __str__(self) -> str:
        return str(self.summary())
