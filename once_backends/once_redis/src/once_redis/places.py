"""Which server has a key: the only one, the primary that sentinels name, or a node of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from redis.crc import key_slot
from redis.exceptions import ConnectionError, RedisError, ResponseError

from .connections import Connections
from .failures import is_redirection
from .scripts import packed
from .wire import Wire

Address = tuple[str, int]


class Place(Protocol):
    """Where keys are. Up to *together* of them may be in one question."""

    together: int

    def ask(self, key: bytes, question: bytes) -> Any:
        """Return the answer of the server that has *key*. Raises what redis-py raises."""

    async def aask(self, key: bytes, question: bytes, undo: bytes | None = None) -> Any:
        """Return it to a coroutine; *undo* is sent if that is cancelled."""

    def by_server(self, keys: Sequence[bytes]) -> dict[Connections, Sequence[int]]:
        """Return which servers have *keys*, those being told by their index."""
        ...

    def everywhere(self) -> Sequence[Connections]:
        """Return all servers that have keys."""
        ...


class OneServer:
    """A server that has all keys; which one, its connections find out."""

    together = 1_000_000

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def ask(self, key: bytes, question: bytes) -> Any:
        return self._connections.ask(question)

    async def aask(self, key: bytes, question: bytes, undo: bytes | None = None) -> Any:
        return await self._connections.aask(question, undo)

    def by_server(self, keys: Sequence[bytes]) -> dict[Connections, Sequence[int]]:
        return {self._connections: range(len(keys))}

    def everywhere(self) -> Sequence[Connections]:
        return [self._connections]


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
        self._owners: list[Connections | None] = []

    def ask(self, key: bytes, question: bytes) -> Any:
        node = self._node_of(key)
        try:
            return node.ask(question)
        except ResponseError as error:
            return self._follow(error, question)
        except RedisError:
            self._owners = []  # a replica may take over
            raise

    async def aask(self, key: bytes, question: bytes, undo: bytes | None = None) -> Any:
        node = self._node_of(key) if self._owners else await asyncio.to_thread(self._node_of, key)
        try:
            return await node.aask(question, undo)
        except ResponseError as error:
            return await asyncio.to_thread(self._follow, error, question)
        except RedisError:
            self._owners = []  # a replica may take over
            raise

    def by_server(self, keys: Sequence[bytes]) -> dict[Connections, Sequence[int]]:
        servers: dict[Connections, list[int]] = {}
        for number, key in enumerate(keys):
            servers.setdefault(self._node_of(key), []).append(number)
        return {**servers}

    def everywhere(self) -> Sequence[Connections]:
        return list({owner for owner in self._owners or self._learn() if owner})

    def _node_of(self, key: bytes) -> Connections:
        slot = key_slot(key)
        owner = (self._owners or self._learn())[slot]
        if owner is None:
            self._owners = []
            raise ConnectionError(f"no node of the cluster has slot {slot}")
        return owner

    def _learn(self) -> list[Connections | None]:
        """Ask one node after the other who has which slots."""
        failure: Exception | None = None
        for address, node in list(self._nodes.items()):
            try:
                ranges = node.ask(packed(b"CLUSTER", b"SLOTS"))
            except RedisError as error:
                failure = error
                self._nodes[address] = self._nodes.pop(address)  # to be asked last from now on
                continue
            owners: list[Connections | None] = [None] * 16384
            for first, last, (host, port, *_), *_ in ranges:
                owner = self._node((host.decode() if host else address[0], port))
                owners[first : last + 1] = [owner] * (last + 1 - first)
            self._owners = owners
            return owners
        assert failure is not None
        raise failure

    def _follow(self, error: ResponseError, question: bytes) -> Any:
        """Ask the node that *error* names, once: two that send each other the same key are out of order."""
        if not is_redirection(error):
            raise error
        address = str(error).split()[-1]
        host, _, port = address.rpartition(":")
        node = self._node((host, int(port)))
        if "ASK" in (type(error).__name__[:3].upper(), str(error)[:3]):  # the slot is moving: for this question only
            answer = node.ask_many([packed(b"ASKING"), question])[1]
            if isinstance(answer, Exception):
                raise answer
            return answer
        self._owners = []
        return node.ask(question)

    def _node(self, address: Address) -> Connections:
        if address not in self._nodes:
            self._nodes[address] = self._connect(address)
        return self._nodes[address]
