"""`configure` and `Once` choose the store: early where names are wrong, late where something is to be opened."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import once_core
from once_core import (
    AsyncBackend,
    Backend,
    ConfigurationError,
    NotConfigured,
    Once,
    SupportsHolders,
    SupportsRenewMany,
    UnknownBackend,
    current_lease,
)
from once_memory import MemoryBackend

from .both import Both
from .programs import run
from .stores import FailingBackend, Stage


def test_a_call_before_any_store_was_chosen_names_what_is_installed_and_what_to_type(both: Both) -> None:
    check = Once().once(key="check")(both.function(lambda: "ran"))

    for function in (check, check.is_locked, check.holder, check.release):
        with pytest.raises(NotConfigured) as caught:
            both.call(function)
        texts = ("memory://", "sqlite://", "once_core.configure(", "ONCE_URL")
        assert [] == [text for text in texts if text not in str(caught.value)]


def test_a_lock_before_any_store_was_chosen_is_not_configured(both: Both) -> None:
    async def hold() -> None:
        async with both.entered(Once().lock("check")):
            raise AssertionError("entered")

    with pytest.raises(NotConfigured):
        both.run(hold())


def test_the_environment_s_url_is_used_where_nothing_was_configured(
    both: Both, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ONCE_URL", f"sqlite:///{tmp_path}/environment.db")
    guard = Once()
    check = guard.once(key="check")(both.function(lambda: "ran"))

    assert "ran" == both.call(check)
    assert (tmp_path / "environment.db").exists()
    guard.close()


def test_a_configured_store_goes_before_the_environment_s(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCE_URL", "nosuch://")

    assert "ran" == both.call(Once(MemoryBackend()).once(key="check")(both.function(lambda: "ran")))


@pytest.mark.parametrize(
    ("url", "error"), [("", NotConfigured), ("nosuch://", UnknownBackend), ("x", ConfigurationError)]
)
def test_a_bad_url_in_the_environment_is_an_error_at_the_call(
    url: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCE_URL", url)

    with pytest.raises(error):
        Once().once(key="check")(lambda: "ran")()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"backend": "nosuch://host"}, "nosuch"),
    ({"backend": "memory"}, "not a store's URL"),
    ({"backend": ""}, "not a store's URL"),
    ({"backend": "://"}, "not a store's URL"),
    ({"backend": object()}, "lacks acquire and renew and release and holder"),
    ({"backend": 7}, "int"),
    ({"backend": MemoryBackend}, "class"),
    ({"backend": MemoryBackend(), "ttl": 0}, "ttl"),
    ({"backend": MemoryBackend(), "on_unavailable": "ignore"}, "on_unavailable"),
    ({"backend": MemoryBackend(), "prefix": None}, "prefix"),
]


@pytest.mark.parametrize(("options", "text"), BAD, ids=[text for _, text in BAD])
def test_a_choice_that_cannot_work_is_refused_early_and_changes_nothing(options: dict[str, Any], text: str) -> None:
    backend = MemoryBackend()
    guard = Once(backend, prefix="mine:", ttl=7.0, on_unavailable="skip")

    with pytest.raises(ConfigurationError, match=text):
        guard.configure(**options)
    with pytest.raises(ConfigurationError, match=text):
        Once(**options)
    with guard.lock("check") as lease:
        assert 7.0 == lease.ttl
        assert backend.holder("mine:check") is not None


def test_a_backend_without_a_verb_is_refused_by_name() -> None:
    class Half:
        def acquire(self, key: str, token: str, ttl: float) -> None: ...

        def renew(self, key: str, token: str, ttl: float) -> bool:
            return False

        release = None

    with pytest.raises(ConfigurationError, match=r"Half.*lacks release and holder"):
        Once(Half())  # type: ignore[arg-type]  # this is the point


def test_configure_asks_no_store() -> None:
    backend = FailingBackend()

    Once(backend).configure(backend, prefix="x:")

    assert [] == backend.asked


def test_a_store_that_cannot_be_opened_is_no_error_before_the_first_call(tmp_path: Path) -> None:
    Once(f"sqlite:///{tmp_path}/nowhere/once.db")


def test_configure_returns_the_once() -> None:
    guard = Once()

    assert guard is guard.configure(MemoryBackend())


def test_the_module_s_functions_are_those_of_one_once() -> None:
    program = """
        import once_core

        default = once_core.configure("memory://")
        assert isinstance(default, once_core.Once)
        with default.lock("check"):
            assert once_core.lock("check").is_locked()
            assert once_core.once(key="check")(lambda: 1)() is None
        assert once_core.once(key="check")(lambda: 1)() == 1
        assert once_core.configure("memory://other", prefix="") is default
        print("done")
    """

    assert "done" == run(program)


def test_a_function_may_be_decorated_before_and_used_after(both: Both) -> None:
    guard = Once()
    check = guard.once(key="check")(both.function(lambda: "ran"))
    guard.configure(MemoryBackend())

    assert "ran" == both.call(check)


@pytest.mark.parametrize("change", ["configure", "close"])
def test_a_run_under_way_ends_on_the_store_it_began_with(both: Both, stage: Stage, change: str) -> None:
    other = MemoryBackend()

    def body() -> str:
        if change == "configure":
            stage.once.configure(other)
        else:
            stage.once.close()
        assert stage.holder("check") is not None
        return "ran"

    check = stage.once.once(key="check")(both.function(body))

    assert "ran" == both.call(check)
    assert stage.holder("check") is None
    assert other.holder("once:check") is None


def test_after_a_new_configuration_calls_go_to_the_new_store(both: Both, stage: Stage) -> None:
    other = MemoryBackend()
    where: list[bool] = []

    def body() -> None:
        where.append(other.holder("new:check") is not None)

    check = stage.once.once(key="check")(both.function(body))
    both.call(check)
    stage.once.configure(other, prefix="new:")
    both.call(check)

    assert [False, True] == where


def test_after_close_a_call_opens_the_store_again(both: Both, stage: Stage) -> None:
    check = stage.once.once(key="check")(both.function(lambda: "ran"))

    for _ in range(3):
        assert "ran" == both.call(check)
        stage.once.close()
        stage.once.close()


def test_a_close_with_a_run_under_way_lets_nobody_else_run(both: Both, tmp_path: Path) -> None:
    guard = Once(f"sqlite:///{tmp_path}/once.db")

    async def body() -> str:
        guard.close()
        return f"ran, and then {await both.inner(check)}"

    check = guard.once(key="check", return_on_locked="skipped")(both.function(body))

    assert "ran, and then skipped" == both.call(check)
    guard.close()


@pytest.mark.parametrize("scheme", ["memory", "sqlite"])
def test_two_of_one_url_share_the_keys_and_the_register(both: Both, scheme: str, tmp_path: Path) -> None:
    url = "memory://shared" if scheme == "memory" else f"sqlite:///{tmp_path}/once.db"
    first, second = Once(url), Once(url)

    async def body() -> Any:
        lease = current_lease()
        assert lease is not None
        assert first.lock("check").release()  # the store knows nothing now, the process still does
        return await both.inner(other)

    check = first.once(key="check", return_on_locked="skipped")(both.function(body))
    other = second.once(key="check", return_on_locked="skipped")(both.function(lambda: "ran"))

    assert "skipped" == both.call(check)
    assert "ran" == both.call(other)
    first.close()
    second.close()


def test_two_with_one_backend_object_share_the_register(both: Both) -> None:
    backend = MemoryBackend()
    first, second = Once(backend), Once(backend)

    async def body() -> Any:
        assert first.lock("check").release()
        return await both.inner(second.once(key="check", return_on_locked="skipped")(both.function(lambda: "ran")))

    assert "skipped" == both.call(first.once(key="check")(both.function(body)))


def test_other_prefixes_are_other_keys(both: Both) -> None:
    backend = MemoryBackend()
    billing, mail = Once(backend, prefix="billing:"), Once(backend, prefix="mail:")
    check = mail.once(key="check", return_on_locked="skipped")(both.function(lambda: "ran"))

    with billing.lock("check"):
        assert "ran" == both.call(check)
        with mail.lock("check"):
            assert "skipped" == both.call(check)


def test_an_empty_prefix_is_a_prefix() -> None:
    backend = MemoryBackend()

    with Once(backend, prefix="").lock("check"):
        assert backend.holder("check") is not None


def test_memory_stores_are_shared_by_name_and_objects_are_private() -> None:
    with Once("memory://one").lock("check"):
        assert Once("memory://one").lock("check").is_locked()
        assert not Once("memory://two").lock("check").is_locked()
        assert not Once("memory://").lock("check").is_locked()
        assert not Once(MemoryBackend()).lock("check").is_locked()


def test_a_store_that_was_opened_from_a_url_is_closed_and_an_object_is_not(tmp_path: Path) -> None:
    class Closing(MemoryBackend):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    backend = Closing()
    guard = Once(backend)
    with guard.lock("check"):
        pass
    guard.close()

    assert 0 == backend.closed


def test_many_threads_that_call_first_open_one_store(both: Both, tmp_path: Path) -> None:
    guard = Once(f"sqlite:///{tmp_path}/once.db")
    barrier = threading.Barrier(6)
    answers: list[str] = []
    check = guard.once(key="check-{n}")(both.function(lambda n: f"ran {n}"))

    def call(n: int) -> None:
        barrier.wait(20)
        answers.append(both.call(check, n))

    threads = [threading.Thread(target=call, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    guard.close()

    assert [f"ran {n}" for n in range(6)] == sorted(answers)


def test_everything_public_is_named() -> None:
    assert sorted(once_core.__all__) == sorted(set(once_core.__all__))
    assert [] == [name for name in once_core.__all__ if not hasattr(once_core, name)]
    names = """once lock configure current_lease SKIPPED Once Lease Holder Grant Backend AsyncBackend SupportsRenewMany
        SupportsHolders BackendFactory hookimpl OnceError AlreadyLocked LeaseLost BackendUnavailable ConfigurationError
        NotConfigured UnknownBackend BackendConflict"""

    assert set(names.split()) <= set(once_core.__all__)


def test_what_a_backend_can_do_is_found_by_isinstance() -> None:
    backend = MemoryBackend()

    assert isinstance(backend, Backend)
    assert isinstance(backend, SupportsHolders)
    assert not isinstance(FailingBackend(), SupportsHolders | SupportsRenewMany)
    assert not isinstance(object(), Backend | AsyncBackend)
