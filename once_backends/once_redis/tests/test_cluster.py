"""A real cluster of three nodes: keys go where they belong, also while they move."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator

import pytest
import redis
from redis.crc import key_slot

from once_core import Backend
from once_core.errors import BackendUnavailable, ConfigurationError
from once_core.testing import BackendConformance
from once_redis import RedisBackend
from redis_groups import BOUNDS, Node, be_strict, cluster, replica_of_first, wait_for_copies, wait_until


@pytest.fixture
def backend(nodes: list[Node]) -> Iterator[RedisBackend]:
    backend = RedisBackend(f"redis+cluster://{nodes[0].host}:{nodes[0].port}")
    yield backend
    backend.close()


class TestCluster(BackendConformance):
    has_aio = True
    race_rounds = 60

    @pytest.fixture
    def backend(self, nodes: list[Node]) -> Iterator[RedisBackend]:
        self.nodes = nodes
        backend = RedisBackend(f"redis+cluster://{nodes[0].host}:{nodes[0].port}")
        yield backend
        backend.close()

    def restart(self, backend: Backend) -> Backend:
        for node in self.nodes:
            node.restart()
        for node in self.nodes:
            with node.client() as client:
                wait_until(lambda client=client: client.cluster("info")["cluster_state"] == "ok")  # type: ignore[misc]
        return backend


def renewed(backend: RedisBackend, keys: list[str]) -> bool:
    """Whether all *keys* were renewed; those that nobody could be asked about were not."""
    try:
        answers = backend.renew_many([(key, "token", 60) for key in keys])
    except BackendUnavailable:
        return False
    assert False not in answers, "a lease was lost"
    return None not in answers


def test_a_client_of_redis_py_will_do(nodes: list[Node]) -> None:
    client = redis.RedisCluster(host=nodes[0].host, port=nodes[0].port)
    backend = RedisBackend(client)
    for number in range(20):
        assert backend.acquire(f"client-{number}", "token", 60)
    assert {f"client-{number}" for number in range(20)} == {key for key, _ in backend.holders("client-")}
    backend.close()

    assert client.ping(target_nodes="primaries")
    client.close()


def test_a_slot_may_move_to_another_node(nodes: list[Node], backend: RedisBackend) -> None:
    key = "moving"
    lease = backend.acquire(key, "token", 60)
    slot = key_slot(key.encode())
    source = nodes[bisect(BOUNDS, slot) - 1]
    target = next(node for node in nodes if node is not source)
    with source.client() as old, target.client() as new:
        old_id, new_id = (c.execute_command("CLUSTER MYID").decode() for c in (old, new))
        new.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", old_id)
        old.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", new_id)
        assert old.execute_command("MIGRATE", target.host, target.port, key, 0, 5000)
        # Half moved: the old node has the slot, the new one has the key.
        assert backend.acquire(key, "token", 60) == lease
        assert backend.acquire(key, "other", 60) is None
        assert [True] == backend.renew_many([(key, "token", 60)])
        for client in (new, old):
            client.execute_command("CLUSTER SETSLOT", slot, "NODE", new_id)

    assert backend.acquire(key, "token", 60) == lease
    assert [True] == backend.renew_many([(key, "token", 60)])
    assert backend.release(key, "token")


def test_nodes_that_do_not_agree_are_unavailable_rather_than_misconfigured(
    nodes: list[Node], backend: RedisBackend
) -> None:
    slot = key_slot(b"nobody's")
    owner = nodes[bisect(BOUNDS, slot) - 1]
    other = next(node for node in nodes if node is not owner)
    with owner.client() as client, other.client() as asked:
        # The owner sends a key that it has not got to the other, which knows of no move and sends it back.
        client.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", asked.execute_command("CLUSTER MYID"))
        try:
            with pytest.raises(BackendUnavailable, match="do not agree"):
                backend.acquire("nobody's", "token", 60)
        finally:
            client.execute_command("CLUSTER SETSLOT", slot, "STABLE")

    assert backend.acquire("nobody's", "token", 60)


def test_a_replica_that_takes_over_has_the_leases() -> None:
    keys = [f"taken over {number}" for number in range(30)]
    with cluster() as nodes, replica_of_first(nodes) as replica:
        backend = RedisBackend(f"redis+cluster://{nodes[0].host}:{nodes[0].port}")
        grants = [backend.acquire(key, "token", 60) for key in keys]
        wait_for_copies(nodes[0], replica)
        be_strict([*nodes, replica])
        nodes[0].kill()
        wait_until(lambda: renewed(backend, keys))

        assert [None] * 30 == [backend.acquire(key, "other", 60) for key in keys]
        assert grants == [backend.acquire(key, "token", 60) for key in keys]
        backend.close()


def test_many_leases_are_renewed_over_all_nodes(backend: RedisBackend) -> None:
    leases = [(f"many-{number}", f"token-{number}", 60.0) for number in range(1000)]
    for key, token, ttl in leases[1:]:
        backend.acquire(key, token, ttl)

    assert [False, *[True] * 999] == backend.renew_many(leases)


def test_a_cluster_has_no_numbered_databases(nodes: list[Node]) -> None:
    with pytest.raises(ConfigurationError, match="a cluster has 0 only"):
        RedisBackend(f"redis+cluster://{nodes[0].host}:{nodes[0].port}/1")


def test_a_node_asked_as_a_single_server_says_what_to_write(nodes: list[Node]) -> None:
    backend = RedisBackend(nodes[0].url)
    with pytest.raises(ConfigurationError, match=r"this is a cluster: write redis\+cluster://"):
        [*map(backend.holder, ("key-0", "key-1", "key-3"))]  # a key of each node
    backend.close()


def test_a_node_that_is_away_leaves_the_keys_of_the_others(nodes: list[Node]) -> None:
    backend = RedisBackend(f"redis+cluster://{nodes[0].host}:{nodes[0].port}?timeout=1")
    leases = [(f"away-{number}", "token", 60.0) for number in range(30)]
    for key, token, ttl in leases:
        backend.acquire(key, token, ttl)
    with nodes[1].paused():
        answers = backend.renew_many(leases)
        lost = leases[answers.index(None)][0]
        with pytest.raises(BackendUnavailable, match=r"redis\+cluster://"):
            backend.renew(lost, "token", 60)

    assert {True, None} == set(answers)
    wait_until(lambda: [True] * 30 == backend.renew_many(leases))
    backend.close()
