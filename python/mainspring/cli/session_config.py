"""What a session takes from the configuration, and what the configuration has beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.cli import strategy_file
from mainspring.cli.output import Output

if TYPE_CHECKING:
    from mainspring.config import Change, Loaded
    from mainspring.errors import MainspringError
    from mainspring.live import LiveSession

STORE_NAME = "store.db"
"""The store in a session's folder, where the configuration does not name one."""


def strategy_of(spec: str | None, loaded: Loaded) -> Any:
    """The strategy that is asked for, with the parameters of the file where it is the file's."""
    config = loaded.config
    spec = spec or config.run.strategy
    if spec is None:
        from mainspring.strategy.native import TouchMaker

        return TouchMaker(size="0.01", max_position="0.1", every="100ms")
    strategy = strategy_file.load_strategy(spec)
    named = config.run.strategy
    is_named = named is None or strategy_file.load_strategy(named) is strategy
    return strategy(**strategy_file.checked(strategy, config.parameters if is_named else {}))


def settings(loaded: Loaded) -> dict[str, Any]:
    """The keyword arguments of `ms.live.paper` for a configuration."""
    from mainspring.cli.run_options import risk_settings

    config = loaded.config
    return {
        **risk_settings(config),
        "keep": config.session.to_keep(),
        "orders": config.orders.to_engine(),
        "features": config.run.features,
    }


def import_all() -> None:
    """Imports what is beside a session before it starts, so that nothing waits for it then."""
    import mainspring.config
    import mainspring.events
    import mainspring.live.reload
    import mainspring.store  # noqa: F401 - imported for its effect


@contextlib.contextmanager
def beside(session: LiveSession, loaded: Loaded, output: Output) -> Iterator[None]:
    """Keeps the store and looks at the file while the session runs, as the flags say."""
    with contextlib.ExitStack() as stack:
        if loaded.config.flags.store:
            stack.callback(_store(session, loaded, output))
        if loaded.config.flags.hot_reload and loaded.file is not None:
            stack.callback(_watch(session, loaded, output))
        yield


def _store(session: LiveSession, loaded: Loaded, output: Output) -> Any:
    from mainspring.config.section import nanoseconds
    from mainspring.errors import StorageError
    from mainspring.events import JournalSource
    from mainspring.store import StoreWriter

    store = loaded.config.store
    named = loaded.origin(("store", "path")).source != "default"
    path = store.path if named else Path(session.folder) / STORE_NAME
    writer = StoreWriter(
        JournalSource(session.folder),
        path,
        batch=store.batch,
        flush_every_s=nanoseconds(store.flush_every) / 1e9,
    )
    writer.start()

    def close() -> None:
        try:
            writer.wait(timeout_s=1.0)
            writer.close(timeout_s=1.0)
        except StorageError as error:
            output.warn(f"the store: {error}")
        if writer.lag:
            output.note(f"{path} is {writer.lag:,} records behind: `mainspring store follow`")

    return close


def _watch(session: LiveSession, loaded: Loaded, output: Output) -> Any:
    from mainspring.config import Watcher
    from mainspring.errors import MainspringError as Error
    from mainspring.live.reload import SessionReload

    def tell(what: Sequence[Change] | MainspringError) -> None:
        if isinstance(what, Error):
            output.warn(str(what))
        else:
            for change in what:
                output.note(str(change))

    watcher = Watcher(loaded, SessionReload(session), tell=tell)
    watcher.start()
    return watcher.stop
