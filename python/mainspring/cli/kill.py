"""`mainspring kill`: halt a session from outside."""

from __future__ import annotations

from pathlib import Path

from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output
from mainspring.errors import InvalidValue, NotFoundError

app = verb_app("kill", "")


@app.default
def kill(folder: Path, /, *, why: str = "by hand", output: Output | None = None) -> int:
    """Halt the session in a folder: no new orders, and everything open is cancelled.

    Works while Python, the database or the disk hang: the engine's supervisor looks for the file
    that this verb writes. The halt stays until `paper --rearm` or `LiveSession.rearm` lifts it.

    Parameters
    ----------
    folder
        The session's folder.
    why
        The reason, for the journal.
    output
        Flags of every verb.
    """
    from mainspring.live.config import KILL_FILE

    output = output or Output()
    if not folder.is_dir():
        raise NotFoundError(
            f"{folder}: there is no session's folder; give the one of `paper --out`"
        )
    if not why.strip():
        raise InvalidValue("say why: --why TEXT")
    (folder / KILL_FILE).write_text(why)
    output.note(f"{folder}: trading is halted from now on")
    return Exit.OK
