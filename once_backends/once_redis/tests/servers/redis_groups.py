"""Servers that belong together: three nodes of a cluster, or a primary with a replica and a sentinel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from time import monotonic, sleep

import redis

from once_core.testing.servers import free_port
from redis_server import RedisServer

BOUNDS = [0, 5461, 10923, 16384]
"""Where each node's slots begin, and the last one's end."""


class Node(RedisServer):
    """A node of a cluster that has no slots yet."""

    bus_port = 0

    def prepare(self) -> None:
        self.bus_port = free_port()
        self.options = (*f"--cluster-enabled yes --cluster-port {self.bus_port} --cluster-node-timeout 15000".split(),)


class Sentinel(RedisServer):
    """A sentinel that watches *primary* as the service `leases`, alone; patiently, until it is told to be strict."""

    def __init__(self, primary: RedisServer) -> None:
        super().__init__()
        self._primary = primary

    @property
    def url(self) -> str:
        return f"redis+sentinel://{self.host}:{self.port}/leases"

    def command(self) -> list[str]:
        config = self.folder / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind {self.host}\ndir {self.folder}\n"
            f"sentinel monitor leases {self._primary.host} {self._primary.port} 1\n"
            "sentinel failover-timeout leases 2000\n"
        )
        return [self.program, str(config), "--sentinel"]

    def be_strict(self) -> None:
        """Take a server for dead after half a second from now on: a busy machine may keep it waiting for longer."""
        with self.client() as client:
            client.execute_command("SENTINEL SET", "leases", "down-after-milliseconds", 500)


@contextmanager
def cluster() -> Iterator[list[Node]]:
    """Yield three nodes that have a third of the slots each and know each other."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(Node()) for _ in range(3)]
        clients = [stack.enter_context(node.client()) for node in nodes]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER ADDSLOTSRANGE", BOUNDS[number], BOUNDS[number + 1] - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for node in nodes[1:]:
            clients[0].execute_command("CLUSTER MEET", node.host, node.port, node.bus_port)
        wait_until(lambda: all(client.cluster("info")["cluster_known_nodes"] == "3" for client in clients))
        wait_until(lambda: all(client.cluster("info")["cluster_state"] == "ok" for client in clients))
        yield nodes


def be_strict(nodes: Iterable[Node]) -> None:
    """Let nodes of a cluster take another for dead after a second from now on."""
    for node in nodes:
        with node.client() as client:
            client.config_set("cluster-node-timeout", 1000)


@contextmanager
def replica_of_first(nodes: list[Node]) -> Iterator[Node]:
    """Yield a node that has what the first of *nodes* has, and takes over from it: all of them know it."""
    primary = nodes[0]
    with ExitStack() as stack:
        replica = stack.enter_context(Node())
        client = stack.enter_context(replica.client())
        asked = [stack.enter_context(node.client()) for node in nodes]
        client.execute_command("CLUSTER MEET", primary.host, primary.port, primary.bus_port)
        wait_until(lambda: client.cluster("info")["cluster_state"] == "ok")
        client.execute_command("CLUSTER REPLICATE", asked[0].execute_command("CLUSTER MYID"))
        wait_until(lambda: client.info("replication").get("master_link_status") == "up")
        address = f"{replica.host}:{replica.port}"
        for node in asked:  # those that vote have to know whom for
            wait_until(lambda node=node: node.cluster("nodes").get(address, {}).get("flags") == "slave")  # type: ignore[misc]  # bound at once
        yield replica
        replica.kill()  # asked to end, it would wait for what replicates it


@contextmanager
def sentinel() -> Iterator[tuple[Sentinel, RedisServer, RedisServer]]:
    """Yield a sentinel, the primary that it names and a replica of that."""
    with RedisServer() as primary, RedisServer("--replicaof", primary.host, str(primary.port)) as replica:
        with replica.client() as client:
            wait_until(lambda: client.info("replication")["master_link_status"] == "up")
        with Sentinel(primary) as watching:
            with watching.client() as client:
                with suppress(redis.ResponseError):  # Redis 6.2 keeps to its ten seconds
                    client.execute_command("SENTINEL DEBUG", "INFO-PERIOD", "200", "PUBLISH-PERIOD", "200")
                wait_until(lambda: client.sentinel_slaves("leases") != [])
            yield watching, primary, replica
            for server in (primary, replica):  # asked to end, they would wait for each other
                server.kill()


def wait_for_copies(primary: RedisServer, replica: RedisServer) -> None:
    """Wait until *replica* has all keys. WAIT would be for what its own connection has written."""
    with primary.client() as asked, replica.client() as client:
        wait_until(lambda: 0 < asked.dbsize() == client.dbsize())


def wait_until(is_so: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = monotonic() + seconds
    while True:
        with suppress(redis.RedisError):
            if is_so():
                return
        assert monotonic() < deadline, "what was waited for did not come"
        sleep(0.02)
