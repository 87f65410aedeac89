"""Leases as files, for all processes of one machine: `files:///var/lib/once`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from once_core import BackendFactory, ConfigurationError, hookimpl

from .backend import FilesBackend

__all__ = ["FilesBackend"]


@hookimpl
def once_offer_backends() -> Mapping[str, BackendFactory]:
    return {"files": files_backend}


def files_backend(url: str) -> FilesBackend:
    """Read a URL; the folder is made with the first lease."""
    parts = urlsplit(url)
    if parts.netloc or len(parts.path) < 2 or parts.query or parts.fragment:
        raise ConfigurationError(f"{url!r}: write files:// and a folder's full path, such as files:///var/lib/once")
    return FilesBackend(Path(unquote(parts.path)))
