"""A folder of event files with names.

There is no index to go stale: a name is a file's path under the root without `.mse`, and what is
said of a file is read from the file.
"""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from mainspring.data.checks import CheckReport, check
from mainspring.data.dataset import Dataset
from mainspring.data.home import data_home
from mainspring.errors import InvalidValue, MainspringError, NotFoundError, StorageError

SUFFIX = ".mse"


@dataclass(frozen=True)
class Entry:
    """One file of a catalog.

    Attributes:
        name: what `Catalog.get` takes.
        path: the file.
        bytes: its size.
        schema: `market`, `order` or `bar`; empty when the file cannot be opened.
        rows: number of rows.
        span_ns: first and last receive time (ns since 1970), None when it cannot be opened.
        instruments: symbols.
        source: what the rows were made from.
        clock: `trusted`, `corrected` or `uncorrected`.
        clock_offset_ns: what was added to receive times.
        gaps: places where data is known to be missing.
        hash: content hash.
        problem: why the file cannot be opened; empty when it can.
    """

    name: str
    path: Path
    bytes: int
    schema: str = ""
    rows: int = 0
    span_ns: tuple[int, int] | None = None
    instruments: list[str] = field(default_factory=list)
    source: str = ""
    clock: str = ""
    clock_offset_ns: int = 0
    gaps: int = 0
    hash: str = ""
    problem: str = ""


class Catalog:
    """The event files under a folder.

    Args:
        root: the folder; `data_home()` without it.
    """

    def __init__(self, root: str | PathLike[str] | None = None) -> None:
        self.root = Path(root) if root is not None else data_home()

    def names(self) -> list[str]:
        """The names of all files, sorted."""
        return sorted(self._name(path) for path in self._files())

    def ls(self) -> list[Entry]:
        """What there is, sorted by name; files that cannot be opened say why."""
        return [_entry(name, self._path(name)) for name in self.names()]

    def get(self, name: str) -> Dataset:
        """Opens a file by its name, or by the end of it where that is unique.

        Raises:
            NotFoundError: no such name; the message names close ones.
            InvalidValue: several names end like this.
            DataError, StorageError: the file is damaged or unreadable.
        """
        return Dataset.open(self._path(self._resolve(name)))

    open = get

    def check(self, name: str | None = None) -> dict[str, CheckReport | MainspringError]:
        """Checks one file or all: the report of each by name, or the error that opening gave."""
        names = self.names() if name is None else [self._resolve(name)]
        found: dict[str, CheckReport | MainspringError] = {}
        for each in names:
            try:
                found[each] = check(self._path(each))
            except MainspringError as error:
                found[each] = error
        return found

    def add(
        self,
        source: str | PathLike[str] | Dataset,
        name: str | None = None,
        *,
        replace: bool = False,
    ) -> Entry:
        """Copies an event file into the catalog; it appears when it is whole.

        Args:
            source: the file, or a data set of one file.
            name: its name, with `/` for folders; the file's own without it.
            replace: whether a file of that name may be replaced.

        Raises:
            InvalidValue: the name leads out of the catalog or is taken, or several files.
            NotFoundError, DataError, StorageError: the file cannot be read or copied.
        """
        data = source if isinstance(source, Dataset) else Dataset.open(source)
        if len(data.files) != 1:
            raise InvalidValue(f"add takes one file, this data set has {len(data.files)}")
        data.files[0].verify()
        path = data.paths[0]
        wanted = path.stem if name is None else name
        target = self._path(wanted)
        if target.exists() and not replace:
            raise InvalidValue(
                f"{wanted!r} is in the catalog already; give another name or replace"
            )
        partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, partial)
            Dataset.open(partial)
            partial.replace(target)
        except OSError as error:
            raise StorageError(f"{target}: cannot copy {path} there: {error}") from error
        finally:
            partial.unlink(missing_ok=True)
        return _entry(wanted, target)

    def remove(self, name: str) -> None:
        """Deletes a file of the catalog; takes the whole name only.

        Raises:
            NotFoundError: no such name.
        """
        path = self._path(name)
        if not path.exists():
            raise self._unknown(name)
        path.unlink()

    def _files(self) -> Iterator[Path]:
        hidden = (path for path in self.root.rglob(f"*{SUFFIX}") if path.is_file())
        return (path for path in hidden if not path.name.startswith("."))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).with_suffix("").as_posix()

    def _path(self, name: str) -> Path:
        parts = name.split("/")
        if not name or any(part in {"", ".", ".."} or part.startswith(".") for part in parts):
            raise InvalidValue(f"{name!r} is no name for a data set; use letters, digits, - _ . /")
        return self.root.joinpath(*parts[:-1], parts[-1] + SUFFIX)

    def _resolve(self, name: str) -> str:
        name = name.removesuffix(SUFFIX)
        names = self.names()
        if name in names:
            return name
        ending = [each for each in names if each.endswith(f"/{name}")]
        if len(ending) > 1:
            raise InvalidValue(f"{name!r} may be any of {', '.join(ending)}; give the whole name")
        if not ending:
            raise self._unknown(name)
        return ending[0]

    def _unknown(self, name: str) -> NotFoundError:
        close = difflib.get_close_matches(name, self.names(), n=3, cutoff=0.4)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        return NotFoundError(
            f"no data set {name!r} in {self.root}{hint or '; `mainspring data ls` lists it'}"
        )

    def __repr__(self) -> str:
        return f"Catalog({str(self.root)!r}: {len(self.names())} data sets)"


def _entry(name: str, path: Path) -> Entry:
    size = path.stat().st_size
    try:
        data = Dataset.open(path)
    except MainspringError as error:
        return Entry(name, path, size, problem=str(error))
    origin = data.provenance[0]
    return Entry(
        name=name,
        path=path,
        bytes=size,
        schema=data.schema,
        rows=data.rows,
        span_ns=data.span_ns,
        instruments=[one.symbol for one in data.instruments],
        source=origin["source"],
        clock=origin["clock"]["state"],
        clock_offset_ns=origin["clock"].get("offset_ns", 0),
        gaps=origin["gaps"],
        hash=data.hash,
    )
