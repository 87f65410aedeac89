"""The kit's servers: started on a port of their own, ended by pid, and required where they have to be there."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from once_core.testing import servers
from once_core.testing.servers import Server, find_program


class Web(Server):
    """Serves its folder; a server that every Python has."""

    programs = (Path(sys.executable).name,)
    folders = (str(Path(sys.executable).parent),)

    def prepare(self) -> None:
        (self.folder / "prepared").touch()

    def command(self) -> list[str]:
        return [self.program, "-m", "http.server", str(self.port), "--bind", self.host]


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        yield web


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_is_up_when_it_has_started_and_gone_with_its_folder_when_it_has_stopped() -> None:
    with Web() as web:
        pid = web.pid
        assert web.is_up()
        assert (web.folder / "prepared").exists()

    assert not web.is_up()
    assert not alive(pid)
    assert not web.folder.exists()


@pytest.mark.parametrize("killed", [False, True])
def test_a_restarted_server_is_another_process_at_the_same_port(web: Web, killed: bool) -> None:
    port, pid = web.port, web.pid

    if killed:
        web.kill()
        assert not web.is_up()
    web.restart()

    assert port == web.port
    assert pid != web.pid
    assert not alive(pid)
    assert web.is_up()


def test_a_paused_server_keeps_its_connections_and_answers_nothing_until_it_goes_on(web: Web) -> None:
    with socket.create_connection((web.host, web.port)) as connection:
        connection.settimeout(0.2)
        with web.paused():
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with pytest.raises(TimeoutError):
                connection.recv(1)
        connection.settimeout(30)
        assert b"HTTP" == connection.recv(4)


def test_a_port_that_was_taken_meanwhile_is_not_insisted_on() -> None:
    web = Web()
    with socket.create_server((web.host, web.port)) as other, web:
        assert other.getsockname()[1] != web.port
        assert web.is_up()


def test_a_server_that_ends_at_once_shows_what_it_printed() -> None:
    class Broken(Web):
        def command(self) -> list[str]:
            return [self.program, "-c", "raise SystemExit('no such option')"]

    broken = Broken()
    with pytest.raises(AssertionError, match="no such option"):
        broken.start()
    assert not broken.folder.exists()


@pytest.mark.parametrize(("required", "outcome"), [("0", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_program_skips_the_test_and_fails_it_where_servers_are_required(
    required: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCE_REQUIRE_SERVERS", required)

    with pytest.raises(outcome, match="no-such-server or another is not installed"):
        find_program("no-such-server", "another")


def test_a_program_is_looked_for_in_versioned_folders_the_newest_first(tmp_path: Path) -> None:
    for version in ("14", "15"):
        program = tmp_path / version / "bin" / "served"
        program.parent.mkdir(parents=True)
        program.touch(mode=0o755)

    assert str(tmp_path / "15" / "bin" / "served") == find_program("served", folders=(f"{tmp_path}/*/bin",))


def test_free_ports_are_free() -> None:
    port = servers.free_port()

    with socket.create_server(("127.0.0.1", port)):
        pass
