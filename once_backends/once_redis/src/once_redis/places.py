"""Which server has a key: the only one, the primary that sentinels name, or a node of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from redis.crc import key_slot
from redis.exceptions import ConnectionError, RedisError, ResponseError

from .connections import Connections, Undo
from .failures import Address, redirection_in
from .scripts import packed
from .wire import Wire


class Place(Protocol):
    """Where keys are. Up to *together* of them may be in one question."""

    together: int

    def ask(self, key: bytes, question: bytes) -> Any:
        """Return the answer of the server that has *key*. Raises what redis-py raises."""

    async def aask(self, key: bytes, question: bytes, undo: Undo | None = None) -> Any:
        """Return it to a coroutine; what *undo* makes is sent if that is cancelled."""

    def by_server(self, keys: Sequence[bytes]) -> dict[Connections, Sequence[int]]:
        """Return which servers have *keys*, those being told by their index."""
        ...

    def everywhere(self) -> Sequence[Connections]:
        """Return all servers that have keys."""
        ...

    def look_again(self) -> None:
        """Find out anew where keys are: a server did not answer, and another may take over."""


class OneServer:
    """A server that has all keys; which one, its connections find out."""

    together = 1_000_000

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def ask(self, key: bytes, question: bytes) -> Any:
        return self._connections.ask(question)

    async def aask(self, key: bytes, question: bytes, undo: Undo | None = None) -> Any:
        return await self._connections.aask(question, undo)

    def by_server(self, keys: Sequence[bytes]) -> dict[Connections, Sequence[int]]:
        return {self._connections: range(len(keys))}

    def everywhere(self) -> Sequence[Connections]:
        return [self._connections]

    def look_again(self) -> None:
        return None  # the next connection does


class Primary:
    """Connects to the server that sentinels name, anew for each connection: so a failover is followed.

    See https://redis.io/docs/latest/develop/reference/sentinel-clients/.
    """

    def __init__(self, sentinels: list[Connections], service: str, connect: Callable[[Address], Wire]) -> None:
        self._sentinels = sentinels
        self._service = service
        self._connect = connect

    def __call__(self) -> Wire:
        question = packed(b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", self._service.encode())
        answers: list[str] = []
        for sentinel in self._sentinels:
            try:
                if address := sentinel.ask(question):
                    return self._connect((address[0].decode(), int(address[1])))
                answers.append(f"knows no service {self._service!r}")
            except RedisError as error:
                answers.append(str(error))
        raise ConnectionError(f"no sentinel names a primary: {'; '.join(answers)}")


class Cluster:
    """Nodes that have a part of the 16,384 slots each; every key belongs to one slot.

    See https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/.
    """

    together = 1

    def __init__(self, seeds: Sequence[Address], connect: Callable[[Address], Connections]) -> None:
        self._connect = connect
        self._nodes = {seed: connect(seed) for seed in seeds}
        self._informant = seeds[0]
        self._owners: list[Connections | None] = []

    def ask(self, key: bytes, question: bytes) -> Any:
        node = self._node_of(key)
        try:
            return node.ask(question)
        except ResponseError as error:
            return self._follow(error, question)

    async def aask(self, key: bytes, question: bytes, undo: Undo | None = None) -> Any:
        node = self._node_of(key) if self._owners else await asyncio.to_thread(self._node_of, key)
        try:
            return await node.aask(question, undo)
        except ResponseError as error:
            if redirection_in(error) is None:
                raise
            return await asyncio.to_thread(self._follow, error, question)

    def by_server(self, keys: Sequence[bytes]) -> dict[Connections, Sequence[int]]:
        servers: dict[Connections, list[int]] = {}
        for number, key in enumerate(keys):
            if owner := self._owner_of(key):
                servers.setdefault(owner, []).append(number)
        if sum(map(len, servers.values())) < len(keys):
            self.look_again()  # a slot was nobody's
        return {**servers}

    def everywhere(self) -> Sequence[Connections]:
        return list({owner for owner in self._owners or self._learn() if owner})

    def look_again(self) -> None:
        self._owners = []

    def _node_of(self, key: bytes) -> Connections:
        owner = self._owner_of(key)
        if owner is None:
            raise ConnectionError(f"no node of the cluster has slot {key_slot(key)}")
        return owner

    def _owner_of(self, key: bytes) -> Connections | None:
        return (self._owners or self._learn())[key_slot(key)]

    def _learn(self) -> list[Connections | None]:
        """Ask one node after the other, first the one that answered last, who has which slots."""
        failures: list[RedisError] = []
        for address, node in sorted(self._nodes.items(), key=lambda known: known[0] != self._informant):
            try:
                ranges = node.ask(packed(b"CLUSTER", b"SLOTS"))
            except RedisError as error:
                failures.append(error)
                continue
            owners: list[Connections | None] = [None] * 16384
            for first, last, (host, port, *_), *_ in ranges:
                owner = self._node((host.decode() if host else address[0], port))
                owners[first : last + 1] = [owner] * (last + 1 - first)
            self._owners, self._informant = owners, address
            return owners
        raise failures[0]

    def _follow(self, error: ResponseError, question: bytes) -> Any:
        """Ask the node that *error* names; and once more, as that may be about to give the slot away."""
        for _ in range(2):
            redirection = redirection_in(error)
            if redirection is None:
                raise error
            address, for_good = redirection
            if for_good:
                self._owners = []
            answer = self._node(address).ask_many([packed(b"ASKING"), question])[1]
            if not isinstance(answer, ResponseError):
                return answer
            error = answer
        raise ConnectionError(f"the nodes do not agree on who has a key: {error}")

    def _node(self, address: Address) -> Connections:
        return self._nodes.get(address) or self._nodes.setdefault(address, self._connect(address))
