"""Asks a backend's four verbs, directly or as coroutines, and looks at what kind of answer comes back."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar, cast

from ..backend import Backend, Grant, Holder
from ..blame import declaration
from ..errors import BackendUnavailable
from .rules import RULES, shown
from .watching import Child, Watch, in_threads, packages_of, stumble_in

T = TypeVar("T")
Way: TypeAlias = Literal["sync", "aio"]
"""Whether a verb is called, or its coroutine is run."""

Call: TypeAlias = tuple[Any, ...]
"""A verb's name and its arguments."""

Script: TypeAlias = Sequence[Call]
"""Calls that one participant of a race makes one after the other, until one is granted."""


class Ask:
    """The four verbs of *backend*, blocking and limited in time, whichever *way* it is asked.

    With "aio" each call runs in an event loop of its own, as `asyncio.run` per task does.
    """

    def __init__(self, backend: Backend, way: Way, watch: Watch | None, loses_replies: bool = False) -> None:
        self.backend = backend
        self.way: Way = way
        self.watch = watch
        self._loses_replies = loses_replies

    def of(self, backend: Backend) -> Ask:
        """Ask another backend in the same way."""
        return Ask(backend, self.way, self.watch)

    def losing_replies(self) -> Ask:
        """Ask the same backend, but let every reply be lost on its way: what was asked is done all the same."""
        return Ask(self.backend, self.way, self.watch, loses_replies=True)

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        __tracebackhide__ = True
        return cast("Grant | None", self._checked(("acquire", key, token, ttl)))

    def renew(self, key: str, token: str, ttl: float) -> bool:
        __tracebackhide__ = True
        return cast("bool", self._checked(("renew", key, token, ttl)))

    def release(self, key: str, token: str) -> bool:
        __tracebackhide__ = True
        return cast("bool", self._checked(("release", key, token)))

    def holder(self, key: str) -> Holder | None:
        __tracebackhide__ = True
        return cast("Holder | None", self._checked(("holder", key)))

    def at_once(self, rounds: Sequence[Sequence[Script]]) -> list[list[list[Any]]]:
        """Play each round's scripts at the same time - by threads, or by tasks of one loop - and return the answers.

        `BackendUnavailable` is returned as an answer; what else is raised fails the test.
        """
        __tracebackhide__ = True
        answers: list[list[list[Any]]] = [[[] for _ in scripts] for scripts in rounds]
        bodies: list[Callable[[], None]]
        if self.way == "aio":
            bodies = [lambda: asyncio.run(self._play_as_tasks(rounds, answers))]
        else:
            line = threading.Barrier(len(rounds[0]))
            bodies = [self._player(i, rounds, answers, line) for i in range(len(rounds[0]))]
        in_threads(
            "one of several calls made at once",
            bodies,
            lambda: sum(len(script) for scripts in answers for script in scripts),
            self.watch.timeout if self.watch else 10.0,
        )
        return answers

    def cancelling(self, call: Call, after: int, then: Sequence[Call]) -> list[Any]:
        """Cancel the coroutine of *call* when its loop has gone round *after* times; return the answers to *then*."""
        __tracebackhide__ = True

        async def play() -> list[Any]:
            task = asyncio.ensure_future(self._await(call))
            for _ in range(after):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            return [await self._await(each) for each in then]

        return self.watched(f"calls after a cancelled {self._name(call[0])}", lambda: asyncio.run(play()))

    def fork(self, body: Callable[[Ask], Any]) -> Child:
        """Run *body* in a forked child, from the thread that makes the calls: what that has open is inherited."""
        inherited = self.unwatched()
        return self.watched("os.fork()", lambda: Child(lambda: body(inherited)))

    def unwatched(self) -> Ask:
        """Ask from the thread that makes the call, without a limit."""
        return Ask(self.backend, self.way, None)

    def watched(self, what: str, call: Callable[[], T]) -> T:
        __tracebackhide__ = True
        return self.watch.run(what, call) if self.watch else call()

    def _checked(self, call: Call) -> Any:
        __tracebackhide__ = True
        what = f"{self._name(call[0])}({', '.join(shown(argument) for argument in call[1:])})"
        answer = self.watched(what, lambda: self._answer(call))
        if self._loses_replies:
            raise BackendUnavailable(f"the reply to {what} was lost")
        if isinstance(answer, BackendUnavailable):
            raise answer
        return answer

    def _answer(self, call: Call) -> Any:
        if self.way == "aio":
            return asyncio.run(self._await(call))
        try:
            answer = self._verb(call[0])(*call[1:])
        except BackendUnavailable as error:
            return error
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the backend's
            self._foreign(call[0], error)
        return self._of_the_right_type(call[0], answer)

    async def _await(self, call: Call) -> Any:
        verb, *arguments = call
        try:
            answer = self._verb(verb)(*arguments)
            if inspect.isawaitable(answer):
                return self._of_the_right_type(verb, await answer)
        except BackendUnavailable as error:
            return error
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the backend's
            self._foreign(verb, error)
        RULES[1].broken(
            f"{self._name(verb)} answered {shown(answer)}, which can't be awaited",
            f"aio's verbs are coroutines: write `{declaration(verb, 'async def')}`",
        )

    async def _play_as_tasks(self, rounds: Sequence[Sequence[Script]], answers: list[list[list[Any]]]) -> None:
        async def play(script: Script, answers: list[Any]) -> None:
            for call in script:
                answers.append(answer := await self._await(call))
                if isinstance(answer, Grant):
                    break

        for scripts, row in zip(rounds, answers, strict=True):
            await asyncio.gather(*map(play, scripts, row))

    def _player(
        self, i: int, rounds: Sequence[Sequence[Script]], answers: list[list[list[Any]]], line: threading.Barrier
    ) -> Callable[[], None]:
        def play() -> None:
            stumble_in(packages_of(self.backend))
            try:
                for scripts, row in zip(rounds, answers, strict=True):
                    line.wait()
                    for call in scripts[i]:
                        row[i].append(answer := self._answer(call))
                        if isinstance(answer, Grant):
                            break
            except BaseException:
                line.abort()
                raise

        return play

    def _verb(self, verb: str) -> Callable[..., Any]:
        owner = getattr(self.backend, "aio", None) if self.way == "aio" else self.backend
        if not callable(found := getattr(owner, verb, None)):
            keyword = "async def" if self.way == "aio" else "def"
            RULES[1].broken(
                f"{type(owner).__name__} has no method {verb!r}: write `{declaration(verb, keyword)}`",
                "the core asks all four verbs",
            )
        return cast("Callable[..., Any]", found)

    def _name(self, verb: str) -> str:
        return f"aio.{verb}" if self.way == "aio" else verb

    def _foreign(self, verb: str, error: Exception) -> NoReturn:
        RULES[9].broken(
            f"{self._name(verb)} raised {type(error).__name__}: {shown(str(error))}",
            "the core knows what to do about BackendUnavailable alone; anything else breaks the task",
        )

    def _of_the_right_type(self, verb: str, answer: Any) -> Any:
        if verb == "acquire":
            right = answer is None or (isinstance(answer, Grant) and type(answer.fence) in (int, type(None)))
        elif verb == "holder":
            right = answer is None or is_holder(answer)
        else:
            right = type(answer) is bool
        if right:
            return answer
        if inspect.iscoroutine(answer):
            answer.close()
            seen = f"{verb} answered a coroutine: write `{declaration(verb)}`; coroutines belong to the attribute `aio`"
        else:
            seen = f"{self._name(verb)} answered {shown(answer)}: let it return what `{declaration(verb)}` says"
        RULES[1].broken(seen, "an answer that is no answer is taken for a yes or a no by chance")


def is_holder(answer: object) -> bool:
    return (
        isinstance(answer, Holder)
        and isinstance(answer.token, str)
        and (answer.remaining is None or type(answer.remaining) in (int, float))
    )
