"""A PostgreSQL, its pooler and a MariaDB of the tests' own. What a crash would cost them is of no interest here."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import Any

import psycopg
import pymysql

from once_core.testing.servers import Server, find_program


class SqlServer(Server):
    durable = False
    """Whether a commit waits for the disk: for benchmarks."""

    @property
    def url(self) -> str:
        raise NotImplementedError

    def say(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run each as the one who may do everything; return the rows of the last."""
        rows: list[tuple[Any, ...]] = []
        connection: Any = self.connect()
        try:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()
        return rows

    def connect(self) -> Any:
        raise NotImplementedError

    def run(self, *command: str) -> None:
        done = subprocess.run(
            command, cwd=self.folder, user=self.runs_as, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


class PostgresServer(SqlServer):
    programs = ("postgres",)
    folders = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")
    user = "postgres"
    stop_signal = signal.SIGINT  # at SIGTERM it waits for its clients
    password = "secret"

    def prepare(self) -> None:
        (password := self.folder / "password").write_text(self.password)
        if self.runs_as:
            os.chmod(password, 0o644)
        initdb = find_program("initdb", folders=[str(Path(self.program).parent), *self.folders])
        data = str(self.folder / "data")
        self.run(
            initdb, "--pgdata", data, "--username", "once", "--pwfile", str(password), "--auth", "scram-sha-256",
            "--encoding", "UTF8", "--locale", "C", "--no-sync",
        )  # fmt: skip

    def command(self) -> list[str]:
        settings = ["max_connections=200", "shared_buffers=32MB", "unix_socket_directories=", "jit=off"]
        if not self.durable:
            settings += ["fsync=off"]
        options = [word for setting in settings for word in ("-c", setting)]
        return [self.program, "-D", str(self.folder / "data"), "-h", self.host, "-p", str(self.port), *options]

    @contextmanager
    def paused(self) -> Generator[None]:
        """Stop it with all the processes that it has started: one for each connection."""
        with super().paused():
            pids = [int(pid) for pid in self._of_children("pid")]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                while not all(state.startswith(("T", "Z")) for state in self._of_children("stat")):
                    sleep(0.001)
                yield
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)

    def _of_children(self, what: str) -> list[str]:
        listed = subprocess.run(["ps", "-o", f"{what}=", "--ppid", str(self.pid)], capture_output=True, check=True)
        return listed.stdout.decode().split()

    def is_up(self) -> bool:
        with suppress(psycopg.OperationalError), self.connect():
            return True
        return False

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        where = {"host": self.host, "port": self.port, "user": "once", "dbname": "postgres"}
        return psycopg.connect(**where, password=self.password, autocommit=True, connect_timeout=2)  # type: ignore[arg-type]  # each of its own type

    @property
    def url(self) -> str:
        return f"postgresql://once:{self.password}@{self.host}:{self.port}/postgres"


class Pgbouncer(Server):
    """Gives each transaction to any of four connections to *postgresql*."""

    programs = ("pgbouncer",)
    folders = ("/usr/sbin",)
    user = "postgres"

    def __init__(self, postgresql: PostgresServer) -> None:
        super().__init__()
        self.postgresql = postgresql

    def command(self) -> list[str]:
        server = self.postgresql
        (settings := self.folder / "pgbouncer.ini").write_text(
            f"""
            [databases]
            postgres = host={server.host} port={server.port} user=once password={server.password}
            [pgbouncer]
            listen_addr = {self.host}
            listen_port = {self.port}
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = 4
            """.replace("            ", "")
        )
        return [self.program, str(settings)]

    @property
    def url(self) -> str:
        return f"postgresql://once@{self.host}:{self.port}/postgres"


class MariadbServer(SqlServer):
    programs = ("mariadbd", "mysqld")
    folders = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec")
    user = "mysql"
    password = "secret"

    def prepare(self) -> None:
        install = find_program("mariadb-install-db", "mysql_install_db")
        self.run(install, "--no-defaults", f"--datadir={self.folder / 'data'}", "--skip-test-db", *self._tuning())
        (self.folder / "init.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS once;\n"
            f"CREATE USER IF NOT EXISTS once@'%' IDENTIFIED BY '{self.password}';\n"
            "GRANT ALL ON *.* TO once@'%' WITH GRANT OPTION;\n"  # one statement a line
        )

    def _tuning(self) -> Sequence[str]:
        tuning = [
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=16M",
            "--skip-log-bin",
            f"--tmpdir={self.folder}",
        ]
        return tuning if self.durable else [*tuning, "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]

    def command(self) -> list[str]:
        return [
            self.program, "--no-defaults", f"--datadir={self.folder / 'data'}", f"--bind-address={self.host}",
            f"--port={self.port}", f"--socket={self.folder / 'socket'}", f"--pid-file={self.folder / 'pid'}",
            f"--init-file={self.folder / 'init.sql'}", "--max-connections=300", "--skip-name-resolve", *self._tuning(),
        ]  # fmt: skip

    def is_up(self) -> bool:
        with suppress(pymysql.Error, OSError):
            self.connect().close()
            return True
        return False

    def connect(self) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host=self.host, port=self.port, user="once", password=self.password, database="once", autocommit=True,
            connect_timeout=2,
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"mysql://once:{self.password}@{self.host}:{self.port}/once"
