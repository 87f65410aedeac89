"""How Celery's workers are started for the tests: with nothing said about once."""

from __future__ import annotations

from .workers import Worker, Workers

READY = "ready."


def start_worker(workers: Workers, app: str, pool: str, queue: str, *options: str, **environment: str) -> Worker:
    """Start a worker that takes what is sent to *queue*; wait for READY before relying on it."""
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")  # a second or two each
    name = ("--hostname", f"{queue}-{len(workers.started)}@tests", "--loglevel", "info")
    work = ("--pool", pool, "--concurrency", "4", "--queues", queue)
    command = ("celery", "--app", app, "worker", *work, *name, *quiet, *options)
    return workers.run(*command, folder=None, **environment)
