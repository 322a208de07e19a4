"""Where the lab keeps what outlives a run: `$STANZALAB_CACHE`, else the user's cache folder."""

from __future__ import annotations

import os
from pathlib import Path

from lab.errors import MachineError


def cache_folder(*parts: str) -> Path:
    """A folder in the cache, made where missing. Raises MachineError where it cannot be."""
    own = os.environ.get("STANZALAB_CACHE")
    base = Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stanzalab"
    folder = base.absolute().joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(
            f"cannot make the cache folder {folder}",
            cause=str(error),
            hint="let STANZALAB_CACHE name a folder that can be written",
        ) from error
    return folder
