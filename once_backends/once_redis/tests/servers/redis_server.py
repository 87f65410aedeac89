"""Real servers for the tests: one alone, with TLS, as a replica, under a sentinel, or as a cluster of three."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from once_core.testing.servers import Server


class RedisServer(Server):
    """A server without persistence, at a port and at a unix socket; *options* are words of its command line."""

    programs = ("redis-server", "valkey-server")

    def __init__(self, *options: str) -> None:
        super().__init__()
        self.options = options

    @property
    def url(self) -> str:
        return f"redis://{self.host}:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"redis+unix://{self.folder}/redis.sock"

    def command(self) -> list[str]:
        always = (
            f"--bind {self.host} --dir {self.folder} --unixsocket {self.folder}/redis.sock --daemonize no "
            "--repl-diskless-sync-delay 0"
        ).split()
        return [self.program, "--port", str(self.port), *always, "--save", "", "--appendonly", "no", *self.options]

    def is_up(self) -> bool:
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def client(self) -> Any:
        """Return a client of redis-py, whose types are not complete, for the test itself; close it."""
        return redis.Redis(host=self.host, port=self.port, retry=Retry(NoBackoff(), 0))
