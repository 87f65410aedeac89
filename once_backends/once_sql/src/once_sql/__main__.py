"""Print the statement that makes the table: `python -m once_sql postgresql://`, of no database in particular."""

from __future__ import annotations

import sys
from inspect import cleandoc

from once_core.errors import ConfigurationError

from .backend import SqlBackend

USAGE = """\
usage: python -m once_sql URL

Print the statement that makes the table of leases, for whoever makes tables otherwise. Nothing is connected.

python -m once_sql postgresql://
python -m once_sql "mysql://?table=app.once_leases"
"""


def main(arguments: list[str]) -> int | str:
    if arguments in (["-h"], ["--help"]):
        print(USAGE, end="")
        return 0
    if len(arguments) != 1:
        return USAGE.rstrip()
    try:
        print(cleandoc(SqlBackend(arguments[0]).ddl) + ";")
    except ConfigurationError as error:
        return str(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
