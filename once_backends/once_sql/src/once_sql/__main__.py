"""Print the statement that makes the table: `python -m once_sql postgresql://`, of no database in particular."""

from __future__ import annotations

import sys
from inspect import cleandoc

from once_core.errors import ConfigurationError

from .backend import SqlBackend


def main(arguments: list[str]) -> int | str:
    if len(arguments) != 1:
        return "usage: python -m once_sql URL, such as postgresql://?table=app.once_leases"
    try:
        print(cleandoc(SqlBackend(arguments[0]).ddl) + ";")
    except ConfigurationError as error:
        return str(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
