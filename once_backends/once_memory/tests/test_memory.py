"""What is memory's own: stores by name, an end at the process's border, nothing left behind."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from time import monotonic, sleep

import pytest

from once_core import ConfigurationError, Once
from once_memory import MemoryBackend, once_offer_backends

_README = Path(__file__).parents[1] / "README.md"


def test_a_name_is_one_store_in_the_process() -> None:
    with Once("memory://shared").lock("key"):
        assert Once("memory://shared").lock("key").is_locked()
        assert not Once("memory://other").lock("key").is_locked()
        assert not Once("memory://").lock("key").is_locked()


def test_the_store_without_a_name_is_shared_too() -> None:
    with Once("memory://").lock("key"):
        assert Once("memory://").lock("key").is_locked()


def test_an_object_is_a_private_store() -> None:
    with Once(MemoryBackend()).lock("key"):
        assert not Once(MemoryBackend()).lock("key").is_locked()


@pytest.mark.parametrize("url", ["memory:name", "memory:///name", "memory://name?ttl=1", "memory://name#1"])
def test_a_url_with_more_than_a_name_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(url) + ".*write memory:// or memory://name"):
        once_offer_backends()["memory"](url)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")
def test_a_forked_child_begins_empty() -> None:
    backend = MemoryBackend()
    backend.acquire("key", "parent", 60)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on, if other tests have left a thread
        pid = os.fork()
    if not pid:
        free = backend.holder("key") is None and backend.acquire("key", "child", 60) is not None
        os._exit(0 if free else 1)
    _, status = os.waitpid(pid, 0)
    holder = backend.holder("key")

    assert 0 == os.waitstatus_to_exitcode(status)
    assert holder is not None
    assert "parent" == holder.token


def test_purge_leaves_no_trace_of_what_expired() -> None:
    backend = MemoryBackend()
    backend.acquire("held", "token", 60)
    backend.acquire("expired", "token", 0.01)
    backend.acquire("released", "token", 60)
    backend.release("released", "token")
    deadline = monotonic() + 10
    while backend.holder("expired"):
        assert monotonic() < deadline
        sleep(0.01)

    backend.purge()

    assert ["held"] == list(backend._leases)


def test_fences_grow_from_one_object_to_the_next() -> None:
    fences = []
    for _ in range(3):
        grant = MemoryBackend().acquire("key", "token", 60)
        fences.append(grant and grant.fence)
        sleep(0.001)

    assert sorted(set(fences), key=str) == fences


def test_the_readme_runs() -> None:
    [code] = re.findall(r"```python\n(.*?)```", _README.read_text("utf-8"), re.DOTALL)

    exec(code, {"__name__": "readme"})
