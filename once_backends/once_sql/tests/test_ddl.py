"""`python -m once_sql`: the statement that makes the table, for those who make it themselves."""

from __future__ import annotations

import subprocess
import sys

import pytest


def say(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-m", "once_sql", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_who_asks_for_help_gets_it(option: str) -> None:
    status, told, complaint = say(option)

    assert (status, complaint) == (0, "")
    assert told.startswith("usage: python -m once_sql URL")


def test_the_statement_is_printed_for_a_url_of_no_database_in_particular() -> None:
    status, told, complaint = say("postgresql://?table=app.once_leases")

    assert (status, complaint) == (0, "")
    assert 'CREATE TABLE IF NOT EXISTS "app"."once_leases"' in told


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [((), "usage: python -m once_sql URL"), (("redis://",), "redis:// is no database that SQLAlchemy knows")],
)
def test_what_can_not_be_printed_is_a_failure(arguments: tuple[str, ...], complaint: str) -> None:
    status, told, said = say(*arguments)

    assert (status, told) == (1, "")
    assert said.startswith(complaint)
