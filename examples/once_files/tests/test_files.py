"""What is the files' own: URLs, what is left behind, a process that dies amid its calls, another boot."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import once_files.backend
from once_core import ConfigurationError, Once
from once_files import FilesBackend, files_backend

README = Path(__file__).parents[1] / "README.md"

HAMMER = """
import sys
from itertools import count
from pathlib import Path
from once_files import FilesBackend

backend = FilesBackend(Path(sys.argv[1]))
for turn in count():
    assert backend.acquire("key", f"token-{turn}", 60)
    assert backend.renew("key", f"token-{turn}", 60)
    assert backend.release("key", f"token-{turn}")
    print(turn, flush=True)
"""


def states(root: Path) -> list[str]:
    return [name for folder in root.iterdir() for name in os.listdir(folder)]


def test_the_installed_plugin_serves_its_scheme(tmp_path: Path) -> None:
    url = f"files://{tmp_path}/a%20folder"

    with Once(url).lock("key"):
        assert Once(url).lock("key").is_locked()
    assert not Once(url).lock("key").is_locked()
    assert (tmp_path / "a folder").is_dir()


@pytest.mark.parametrize("url", ["files://", "files:///", "files://folder", "files:///folder?ttl=1", "files:///a#b"])
def test_a_url_that_is_not_a_full_path_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(url) + ".*such as files:///var/lib/once"):
        files_backend(url)


def test_a_key_leaves_one_file_however_often_it_is_held(tmp_path: Path) -> None:
    backend = FilesBackend(tmp_path)
    for turn in range(20):
        backend.acquire("key", f"token-{turn}", 60)
        backend.renew("key", f"token-{turn}", 60)
        backend.release("key", f"token-{turn}")

    assert 1 == len(states(tmp_path))


def test_purge_leaves_no_trace_of_what_nobody_held_for_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = FilesBackend(tmp_path)
    backend.acquire("held", "token", 7200)
    backend.acquire("released", "token", 60)
    backend.release("released", "token")
    (tmp_path / ".left-by-a-process-that-died").mkdir()
    earlier = once_files.backend._now
    backend.purge()
    before = set(states(tmp_path))

    monkeypatch.setattr(once_files.backend, "_now", lambda: earlier() + 3700)
    backend.purge()

    assert 2 == len(before)
    assert ["held"] == [folder.name.partition("-")[0] for folder in tmp_path.iterdir()]


def test_purge_of_a_folder_that_is_not_there_yet_is_harmless(tmp_path: Path) -> None:
    FilesBackend(tmp_path / "leases").purge()


def test_the_leases_of_an_earlier_boot_are_over_and_its_fences_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = FilesBackend(tmp_path)
    before = backend.acquire("key", "token", 60)
    monkeypatch.setattr(once_files.backend, "_BOOT", "another")

    assert backend.holder("key") is None
    assert not backend.renew("key", "token", 60)
    after = backend.acquire("key", "next", 60)
    assert before is not None
    assert before.fence is not None
    assert after is not None
    assert after.fence is not None
    assert before.fence < after.fence


def test_a_process_that_is_killed_amid_its_calls_leaves_a_key_that_can_be_asked_for(tmp_path: Path) -> None:
    for turn in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", HAMMER, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as hammer:
            assert hammer.stdout is not None
            for _ in range(100 + turn):
                assert hammer.stdout.readline()
            hammer.kill()
        backend = FilesBackend(tmp_path)
        if holder := backend.holder("key"):
            assert backend.release("key", holder.token)
        assert backend.acquire("key", "token", 60)
        assert backend.release("key", "token")

    assert 1 == len(states(tmp_path))


def test_the_readme_runs(tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)

    exec(code.replace("/var/lib/once", str(tmp_path)), {"__name__": "readme"})
