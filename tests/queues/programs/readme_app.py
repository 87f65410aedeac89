"""The app that the README's example needs, and an observer that tells of its runs and skips: its body does nothing."""

from __future__ import annotations

import os

from celery import Celery

from once_core import Lease, hookimpl
from queues.witness import note

app = Celery("readme", broker=os.environ["ONCE_URL"], backend=os.environ["ONCE_URL"], include=["readme"])


@hookimpl
def once_acquired(lease: Lease) -> None:
    note("run", lease.key)


@hookimpl
def once_skipped(key: str) -> None:
    note("skip", key)
