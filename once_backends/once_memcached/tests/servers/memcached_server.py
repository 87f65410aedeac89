"""A Memcached of the tests' own."""

from __future__ import annotations

from once_core.testing.servers import Server


class MemcachedServer(Server):
    programs = ("memcached",)
    user = "nobody"  # it refuses to run as root

    options: tuple[str, ...] = ()

    def command(self) -> list[str]:
        return [self.program, "-l", self.host, "-p", str(self.port), "-U", "0", "-c", "2048", *self.options]

    @property
    def url(self) -> str:
        return f"memcached://{self.host}:{self.port}"


class UnixMemcachedServer(MemcachedServer):
    def command(self) -> list[str]:
        return [self.program, "-s", self._socket]

    def is_up(self) -> bool:
        return (self.folder / "memcached.sock").exists()

    @property
    def _socket(self) -> str:
        return str(self.folder / "memcached.sock")

    @property
    def url(self) -> str:
        return f"memcached+unix://{self._socket}"
