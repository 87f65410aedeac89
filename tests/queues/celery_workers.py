"""How Celery's workers are started for the tests: with nothing said about once."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

from .recipes import Recipes, recipes
from .workers import Worker, Workers

READY = "ready."
PROGRAM = "queues.programs.celery_program"
TTL = 2

_BROKER = """
import json
app.conf.broker_transport_options = json.loads(os.environ.get("BROKER", "{}"))
app.conf.broker_connection_retry_on_startup = True
"""


def celery_recipes(folder: Path) -> Recipes:
    """Return the page's tasks, in a hurry."""
    faster = {"default_retry_delay": 0.3, "soft_time_limit": 1, "hold_at_least": 1, "minutes": 1 / 600}
    return recipes("celery", folder, _BROKER, ttl=TTL, **faster)


def start_worker(workers: Workers, path: str, pool: str, queue: str, app: str = PROGRAM, **environment: str) -> Worker:
    """Start a worker, with *path* to import from, for what is sent to *queue*; wait for READY before relying on it."""
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")  # a second or two each
    name = ("--hostname", f"{token_hex(4)}@tests", "--loglevel", "info")
    work = ("--pool", pool, "--concurrency", "4", "--queues", queue)
    command = ("celery", "--app", app, "worker", *work, *name, *quiet)
    return workers.run(*command, folder=None, PYTHONPATH=path, **environment)
