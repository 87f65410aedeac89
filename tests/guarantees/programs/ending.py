"""End while once is in use: `ending SCENARIO URL PREFIX`. Prints what the scenario is to reach."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from time import sleep
from typing import Any

from once_core import BackendUnavailable, Once

from ..kinds import FORMS


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def amid_runs(once: Once) -> None:
    """Daemon threads are in the middle of runs whose leases are being renewed."""
    begun = [threading.Event() for _ in FORMS]

    def body(event: threading.Event) -> None:
        event.set()
        sleep(3600)

    for (form, guard), event in zip(FORMS.items(), begun, strict=True):
        call = guard(once, form, partial(body, event))
        threading.Thread(target=call, daemon=True).start()
    for event in begun:
        assert event.wait(30)
    sleep(1.0)
    say("ended")


def amid_calls(once: Once) -> None:
    """Daemon threads make one call after the other."""

    def work(call: Callable[[], Any]) -> None:
        while True:
            call()

    for form, guard in FORMS.items():
        threading.Thread(target=work, args=(guard(once, form, lambda: None),), daemon=True).start()
    sleep(1.0)
    say("ended")


def at_exit(once: Once) -> None:
    """Exit handlers make calls: one that was registered before any call, and one after."""
    calls = {form: guard(once, form, lambda: "ran") for form, guard in FORMS.items()}
    held = FORMS["def"](once, "outer", lambda: [call() for call in calls.values()])

    def handler() -> None:
        say(" ".join(map(str, held())))

    atexit.register(handler)
    for call in calls.values():
        call()
    atexit.register(handler)


class Finalized:
    """Makes its calls in the last garbage collection, when the interpreter finalizes and modules are still whole."""

    def __init__(self, calls: list[Callable[[], Any]]) -> None:
        gc.set_threshold(10**9)  # no collection comes before the last
        self.calls = calls
        self.cycle = self

    def __del__(self) -> None:
        assert sys.is_finalizing()
        for call in self.calls:
            say(str(call()))


def finalized(once: Once) -> None:
    """Plain calls come while the interpreter finalizes, after runs in threads and coroutines."""
    for form, guard in FORMS.items():
        guard(once, f"before {form}", lambda: None)()
    Finalized([FORMS[form](once, form, lambda: "ran") for form in ("def", "with")])


def in_a_thread_that_outlives_main(once: Once) -> None:
    """The main thread ends; another one goes on with its run, and then makes one more call."""
    once.open().store.open()  # redis-py and others can't be imported any more when the main thread has ended

    def work() -> None:
        FORMS["def"](once, "first", lambda: sleep(1.5))()
        say(str(FORMS["async def"](once, "second", lambda: "ran")()))

    threading.Thread(target=work).start()


def exit_in_a_body(once: Once) -> None:
    say("exits")
    FORMS["def"](once, "key", lambda: sys.exit(0))()


def amid_a_release(once: Once) -> None:
    """A grant whose reply was lost is being given back by a thread, and that takes a while."""
    backend: Any = once.open().store.open()
    acquire, release = backend.acquire, backend.release

    def lose_the_reply(*question: Any) -> None:
        acquire(*question)
        raise BackendUnavailable("the reply was lost")

    def take_a_while(*question: Any) -> bool:
        sleep(0.3)
        return bool(release(*question))

    backend.acquire, backend.release = lose_the_reply, take_a_while
    FORMS["def"](once, "left", lambda: None, ttl=300.0, on_unavailable="skip")()
    say("ended")


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        amid_runs,
        amid_calls,
        at_exit,
        finalized,
        in_a_thread_that_outlives_main,
        exit_in_a_body,
        amid_a_release,
    )
}


def main(scenario: str, url: str, prefix: str) -> None:
    SCENARIOS[scenario](Once(url, prefix=prefix, ttl=1.5))


if __name__ == "__main__":
    main(*sys.argv[1:])
