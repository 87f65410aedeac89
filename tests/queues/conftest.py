"""A Redis, a witness and workers, for all task queues.

Servers and workers live as long as a module's tests, as a worker takes seconds to start. So each test has orders of
its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from redis_server import RedisServer

from .witness import Witness
from .workers import Workers

_numbers = itertools.count(1000)


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Witness:
    return Witness(tmp_path_factory.mktemp("witness"))


@pytest.fixture(scope="module")
def environment(redis: RedisServer, witness: Witness) -> Iterator[None]:
    """Let this process, which enqueues, know what the workers know: the store's URL, which is the broker's too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONCE_URL", redis.url)
        patch.setenv("WITNESS", str(witness.folder))
        yield


@pytest.fixture(scope="module")
def workers(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """Start workers that live until the module's tests are over, or are killed."""
    workers = Workers(tmp_path_factory.mktemp("workers"))
    try:
        yield workers
    finally:
        workers.close()


@pytest.fixture
def new_order() -> Callable[[], int]:
    """Return what makes numbers of orders that no other test has."""
    return _numbers.__next__
