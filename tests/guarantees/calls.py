"""Calls that go on beside the test, and waiting for what they do: never for a time, always for a condition."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from time import monotonic, sleep
from typing import Any

DEADLINE = 30.0
"""Seconds after which a test gives up waiting for what has to come."""


class Beside:
    """A call in a daemon thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._result: Any = None
        self._error: BaseException | None = None
        self._over = threading.Event()
        threading.Thread(target=self._work, args=(call,), daemon=True).start()

    @property
    def over(self) -> bool:
        return self._over.is_set()

    def result(self) -> Any:
        """Return what the call returned, or raise what it raised."""
        __tracebackhide__ = True
        assert self._over.wait(DEADLINE), "the call is not over"
        if self._error is not None:
            raise self._error
        return self._result

    def _work(self, call: Callable[[], Any]) -> None:
        try:
            self._result = call()
        except BaseException as error:  # raised again by result()
            self._error = error
        finally:
            self._over.set()


class Held:
    """A run whose body says that it has begun, and ends when it is let go."""

    def __init__(self, guard: Callable[[Callable[[], Any]], Callable[[], Any]], result: Any = "result") -> None:
        self.begun = threading.Event()
        self._go = threading.Event()
        self._then = result

        def body() -> Any:
            self.begun.set()
            assert self._go.wait(2 * DEADLINE), "nobody let the run end"
            return result

        self.call = Beside(guard(body))
        wait_until(lambda: self.begun.is_set() or self.call.over, "the body begins")
        if not self.begun.is_set():
            self.call.result()
            raise AssertionError("the call was over without its body")

    def end(self) -> Any:
        self._go.set()
        return self.call.result()

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *error: object) -> None:
        self._go.set()


def wait_until(condition: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
    """Wait until *condition* holds; fail if it does not in time."""
    __tracebackhide__ = True
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() > deadline:
            assert condition(), f"waited {seconds:g} s in vain: {what}"
            return
        sleep(0.01)


def together(calls: Iterable[Callable[[], Any]]) -> list[Any]:
    """Make all *calls* at once, each in a thread, and return their results."""
    __tracebackhide__ = True
    return [call.result() for call in [Beside(call) for call in calls]]
