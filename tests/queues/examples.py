"""The examples, started by the one line of their README.md, in a copy of their folder."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

from .workers import EXAMPLES, Workers, start_line

_ANSWER = re.compile(r"^(?:order (?P<order>\d+):|\(order_id=(?P<id>\d+)\).*Result:) (?P<answer>checked|skipped)", re.M)


def answers_of_example(example: str, workers: Workers, folder: Path, url: str = "") -> Counter[tuple[str, str]]:
    """Run an example, with *url* in place of its server's; count its answers by order.

    The server is the tests' own. Their other workers must not see what the example enqueues: *url* is another database.
    """
    copy = shutil.copytree(EXAMPLES / example, folder / example)
    line = re.sub(r"(redis|postgresql)://\S+(?=;)", url, start_line(example, "redis://localhost:6379"))
    done = workers.run("bash", "-c", line, folder=copy)
    code = done.wait()
    print(done.output(), *(log.read_text() for log in copy.glob("*.log")), sep="\n")  # shown if the test fails

    assert 0 == code
    return Counter((match["order"] or match["id"], match["answer"]) for match in _ANSWER.finditer(done.output()))
