"""A key is a folder with one empty file in it, and the *name* of that file is the lease.

So a lease is changed by renaming a file, which fails if it is no longer the one that was looked at: a compare-and-swap,
made by the file system for all processes. One that dies in the middle of it leaves nothing half done.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from errno import EEXIST, ENOENT, ENOTEMPTY
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from time import CLOCK_BOOTTIME, clock_gettime, time_ns
from typing import NamedTuple
from urllib.parse import quote, unquote

from once_core import BackendUnavailable, Grant, Holder

_BOOT = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
_TRIES = 1000  # each that fails means that another process has changed the key meanwhile
_KEPT = 3600.0  # seconds that the fence of a key that nobody holds is remembered
_PURGED = 1000  # keys that one purge looks at


class State(NamedTuple):
    """What is known of a key: it is *token*'s until *ends*, a time by the clock that started with this boot."""

    version: int = 0
    fence: int = 0
    ends: float = 0.0
    boot: str = ""
    token: str = ""

    @property
    def remaining(self) -> float:
        return max(0.0, self.ends - _now()) if self.boot == _BOOT else 0.0

    def held_by(self, *tokens: str) -> bool:
        """Whether one of *tokens* holds the key; the empty one stands for nobody."""
        return (self.token if self.remaining else "") in tokens

    def then(self, token: str, ttl: float) -> State:
        """Return the state that follows when *token* holds the key for *ttl* seconds from now."""
        version = max(self.version + 1, time_ns() // 1000)  # from the clock: a purged key's must grow, too
        return State(version, self.fence if self.remaining else version, _now() + ttl, _BOOT, token)

    def as_name(self) -> str:
        return ",".join(map(str, (*self[:4], quote(self.token, safe=":"))))


class FilesBackend:
    """Leases in the folders of *root*, which is on a disk of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        state = self._change(key, lambda now: now.then(token, ttl) if now.held_by(token, "") else None)
        return Grant(state.fence) if state else None

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return bool(self._change(key, lambda now: now.then(token, ttl) if now.held_by(token) else None))

    def release(self, key: str, token: str) -> bool:
        return bool(self._change(key, lambda now: now.then("", 0) if now.held_by(token) else None))

    def holder(self, key: str) -> Holder | None:
        with self._asking():
            state = _look(self._folder(key))
        return Holder(state.token, remaining) if (remaining := state.remaining) else None

    def purge(self) -> None:
        """Remove some of the keys that nobody has held for an hour."""
        with self._asking(), suppress(FileNotFoundError):
            names = os.listdir(self.root)
            for folder in (self.root / name for name in random.sample(names, min(len(names), _PURGED))):
                state = _look(folder)
                if state.boot != _BOOT or _now() - state.ends > _KEPT:
                    with suppress(OSError):
                        (folder / state.as_name()).unlink(missing_ok=True)
                        folder.rmdir()  # fails if it is not empty: somebody was faster, and holds the key

    def _change(self, key: str, change: Callable[[State], State | None]) -> State | None:
        """Change the state of *key*, in one step, to what *change* makes of it; return None if that is None."""
        folder = self._folder(key)
        with self._asking():
            for _ in range(_TRIES):
                wanted = change(seen := _look(folder))
                if wanted is None or self._swap(folder, seen, wanted):
                    return wanted
        raise BackendUnavailable(f"{folder} was changed by others {_TRIES} times amid one question")

    def _swap(self, folder: Path, seen: State, wanted: State) -> bool:
        """Change a key's state from *seen* to *wanted*; return False, changing nothing, if it is no longer *seen*."""
        new = self.root / f".{token_hex(16)}"
        try:
            if seen.version:
                os.rename(folder / seen.as_name(), folder / wanted.as_name())
            else:
                new.mkdir(parents=True)
                (new / wanted.as_name()).touch(exist_ok=False)
                os.rename(new, folder)  # fails if there is such a folder that is not empty
        except OSError as error:
            if error.errno not in (ENOENT, EEXIST, ENOTEMPTY):
                raise
            rmtree(new, ignore_errors=True)
            return False
        return True

    def _folder(self, key: str) -> Path:
        """Return the key's own folder: a head for people to read, and a digest that no two keys share."""
        digest = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return self.root / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', key)[:60]}-{digest}"

    @contextmanager
    def _asking(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise BackendUnavailable(f"{self.root} can't be asked: {error}") from error


def _look(folder: Path) -> State:
    """Return a key's state. A listing amid a rename may show both names: the newer one counts."""
    with suppress(FileNotFoundError):
        names = [name.split(",") for name in os.listdir(folder)]
        states = [State(int(v), int(fence), float(ends), boot, unquote(token)) for v, fence, ends, boot, token in names]
        return max(states, default=State())
    return State()


def _now() -> float:
    return clock_gettime(CLOCK_BOOTTIME)
