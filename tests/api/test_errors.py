"""Errors survive what task queues do to results, and each says what to do next."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime

import pytest

from once_core import (
    AlreadyLocked,
    BackendConflict,
    BackendUnavailable,
    ConfigurationError,
    Holder,
    LeaseLost,
    NotConfigured,
    OnceError,
    UnknownBackend,
)

TOKEN = "host:77:1700000000000:abc"
ERRORS: list[OnceError] = [
    OnceError("what happened"),
    AlreadyLocked("check-7"),
    AlreadyLocked("check-7", TOKEN),
    AlreadyLocked("check-7", Holder(TOKEN, 12.5)),
    AlreadyLocked("check-7", Holder("a stranger's token")),
    LeaseLost("check-7"),
    BackendUnavailable("the store is away"),
    ConfigurationError("write it like this"),
    NotConfigured("call configure"),
    UnknownBackend("no plugin"),
    BackendConflict("two plugins"),
]
EACH = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)


@EACH
def test_its_arguments_are_texts(error: OnceError) -> None:
    assert {str} == {type(arg) for arg in error.args}


@EACH
def test_it_can_be_rebuilt_from_its_arguments_by_way_of_json(error: OnceError) -> None:
    rebuilt = type(error)(*json.loads(json.dumps(error.args)))

    assert str(error) == str(rebuilt)
    assert error.args == rebuilt.args


@EACH
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_can_be_pickled(error: OnceError, protocol: int) -> None:
    rebuilt = pickle.loads(pickle.dumps(error, protocol))

    assert type(error) is type(rebuilt)
    assert (str(error), error.args, vars(error)) == (str(rebuilt), rebuilt.args, vars(rebuilt))


@EACH
def test_it_can_be_copied(error: OnceError) -> None:
    for rebuilt in (copy.copy(error), copy.deepcopy(error)):
        assert (type(error), str(error), vars(error)) == (type(rebuilt), str(rebuilt), vars(rebuilt))


@EACH
def test_it_is_a_once_error(error: OnceError) -> None:
    assert isinstance(error, OnceError)
    assert isinstance(error, ValueError) is isinstance(error, ConfigurationError)


def test_the_configuration_errors_are_one_family() -> None:
    assert all(issubclass(cls, ConfigurationError) for cls in (NotConfigured, UnknownBackend, BackendConflict))


def test_already_locked_knows_the_key_and_the_holder() -> None:
    for error in (AlreadyLocked("check-7", TOKEN), AlreadyLocked("check-7", Holder(TOKEN, 12.5))):
        assert error.holder is not None
        assert ("check-7", "host", 77) == (error.key, error.holder.host, error.holder.pid)
        assert datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC) == error.holder.since


def test_already_locked_keeps_what_it_was_told_of_the_time_left() -> None:
    error = AlreadyLocked("check-7", Holder(TOKEN, 12.5))

    assert error.holder is not None
    assert 12.5 == error.holder.remaining
    assert 12.5 == copy.copy(error).holder.remaining  # type: ignore[union-attr]  # it has one, as the original


def test_already_locked_says_by_whom_and_what_to_do() -> None:
    told = str(AlreadyLocked("check-7", TOKEN))

    assert "'check-7' is held by process 77 on host since 2023-11-14 22:13:20 UTC" in told
    assert "'check-7' is held by token 'odd'" in str(AlreadyLocked("check-7", "odd"))
    assert "'check-7' is held by another run" in str(AlreadyLocked("check-7"))
    assert "raise_on_locked=False" in str(AlreadyLocked("check-7"))


def test_lease_lost_says_what_it_means_and_what_to_do() -> None:
    error = LeaseLost("check-7")

    assert "check-7" == error.key
    assert [] == [text for text in ("'check-7'", "do not rely", "longer ttl") if text not in str(error)]
