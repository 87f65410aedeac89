"""The main job: a spawner asks for checks of orders, again and again, also of those that are being checked.

    python examples/orders.py                                  # the leases are in an SQLite file of its own
    python examples/orders.py --backend redis://localhost      # in any other store that several processes reach

The same requests are made twice: without the decorator, then with it. The second time one worker is killed in the
middle of a check. Beside this file lie orders_shop.py, the database, and what shows it all: orders_screen.py and
orders_picture.py.
"""

from __future__ import annotations

import argparse
import random
import secrets
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from orders_shop import Act, Shop, Skip

from once_core import AlreadyLocked, OnceError, configure, lock, once

ORDERS = (41, 42, 43)
WORKERS = ("worker 1", "worker 2", "worker 3", "worker 4", "worker 5")
CHECKS = 42  # asked for in each of the two acts
PAUSE = 0.11  # seconds from one request to the next
KILL_AFTER = 6  # requests
TTL = 2.0  # seconds: what a dead worker costs
SEED = 7

shop: Shop  # of this process


@once(key="check_order-{order_id}")
def check_order(order_id: int) -> None:
    """Charge the instalment that is due. When two runs do it at once, the customer pays it twice."""
    with shop.logged_run(order_id):
        due = shop.instalments_paid(order_id) + 1
        ask_the_bank(order_id, due)
        shop.charge(order_id, due)


def ask_the_bank(order_id: int, instalment: int) -> None:
    """Take a while, as banks do; the same request always takes the same."""
    time.sleep(random.Random(f"{SEED}-{order_id}-{instalment}").uniform(0.35, 0.65))


def work(pipe: Connection, name: str, database: Path, backend: str, prefix: str) -> None:
    """Be a worker process: check what the pipe asks for, and answer each request with whether it was skipped."""
    global shop
    shop = Shop(database, name)
    try:
        configure(backend, prefix=prefix, ttl=TTL)
        say_whether_first(pipe)
        while True:
            guarded, order_id = pipe.recv()
            check = check_order if guarded else check_order.__wrapped__
            before = shop.runs_logged
            check(order_id)
            pipe.send(shop.runs_logged == before)
    except OnceError as error:
        pipe.send(error)
    except EOFError:  # the spawner is gone
        shop.close()


def say_whether_first(pipe: Connection) -> None:
    """Ask for a key that all workers ask for: in a store that they share, one of them gets it."""
    try:
        with lock("first"):
            pipe.send(True)
            pipe.recv()
    except AlreadyLocked:
        pipe.send(False)
        pipe.recv()


class Worker:
    """What the spawner knows of a worker process, and the pipe to it.

    Each has a pipe of its own: a queue that all share may be left locked by one that is killed.
    """

    def __init__(self, name: str, *about: object) -> None:
        context = get_context("spawn")
        self.name = name
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=work, args=(theirs, name, *about), name=name, daemon=True)
        self.process.start()
        theirs.close()

    def answer(self) -> bool:
        """Return what the worker says. Raises OnceError if the store failed it, OSError if it died."""
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            raise ChildProcessError(f"{self.name} ended unasked: what it wrote stands above") from None
        if isinstance(answer, OnceError):
            raise answer
        return bool(answer)

    def kill(self) -> None:
        """End the process with SIGKILL: it can't clean up anything."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Spawner:
    """Hands out checks to workers that are free, at a steady pace, whether or not the order is being checked."""

    def __init__(self, act: Act, shop: Shop, workers: list[Worker], show: Callable[[Act], None]) -> None:
        self.act = act
        self.shop = shop
        self.workers = list(workers)
        self.free = deque(workers)
        self.show = show

    def hand_out_all(self) -> None:
        """Ask for all checks, and wait until the last is answered."""
        self.act.began = time.monotonic()
        for order_id in islice(self._requests(), CHECKS):
            while time.monotonic() < self.act.began + self.act.asked * PAUSE or not self.free:
                self._listen()
            worker = self.free.popleft()
            worker.pipe.send((self.act.guarded, order_id))
            self.act.busy[worker.name] = order_id
            self.act.asked += 1
            if self.act.guarded and self.act.asked > KILL_AFTER and self.act.killed is None:
                self._kill_one()
        while self.act.busy:
            self._listen()

    def _requests(self) -> Iterator[int]:
        chance = random.Random(SEED)
        while orders := self.shop.orders_in_progress():
            yield from chance.sample(orders, len(orders))

    def _listen(self) -> None:
        """Take the answers that the workers give within a moment."""
        ready = connection.wait([worker.pipe for worker in self.workers], timeout=0.02)
        for worker in self.workers:
            if worker.pipe in ready:
                skipped = worker.answer()
                order_id = self.act.busy.pop(worker.name)
                if skipped:
                    self.act.skips.append(Skip(worker.name, order_id, time.monotonic()))
                self.free.append(worker)
        self.act.runs = self.shop.runs()
        self.show(self.act)

    def _kill_one(self) -> None:
        """Kill a worker in the middle of a check, if there is one: a check takes longer than 0.35 s."""
        for run in self.shop.runs():
            if run.ended is None and time.monotonic() - run.started > 0.25:
                worker = next(worker for worker in self.workers if worker.name == run.worker)
                killed_at = time.monotonic()
                worker.kill()
                self.workers.remove(worker)
                del self.act.busy[worker.name]
                self.shop.note_killed(worker.name, killed_at)
                self.act.runs = self.shop.runs()
                return


def play(folder: Path, backend: str, show: Callable[[Act], None]) -> list[Act]:
    """Let workers check orders without the decorator, then with it; return what came of each."""
    shop = Shop(folder / "shop.db", "spawner")
    prefix = f"orders-{secrets.token_hex(4)}:"  # the store may be shared
    workers: list[Worker] = []
    try:
        configure(backend)  # refuses an unknown one; this process asks nothing of it
        with deaf_to_ctrl_c():
            workers += [Worker(name, folder / "shop.db", backend, prefix) for name in WORKERS]
        if sum([worker.answer() for worker in workers]) != 1:
            scheme = backend.partition("://")[0]
            sys.exit(f"orders: {scheme}:// does not reach over processes: name a store that all workers share")
        for worker in workers:
            worker.pipe.send("begin")
        acts = [Act(guarded, WORKERS, CHECKS, TTL) for guarded in (False, True)]
        for act in acts:
            shop.open_anew(ORDERS)
            Spawner(act, shop, workers, show).hand_out_all()
            act.runs, act.charged_twice, act.done = shop.runs(), shop.charged_twice(), True
            show(act)
        return acts
    finally:
        for worker in workers:
            worker.kill()
        shop.close()


@contextmanager
def deaf_to_ctrl_c() -> Generator[None]:
    """Start processes that leave Ctrl-C to this one: they inherit that it is ignored."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Check orders in several processes, without @once and with it, and kill one of them."
    )
    parser.add_argument("--backend", metavar="URL", help="the store of the leases (default: an SQLite file of its own)")
    parser.add_argument("--picture", metavar="PATH", type=Path, default=Path("orders.svg"), help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        from orders_screen import Screen  # not above: workers come by there, and show nothing
    except ModuleNotFoundError as error:
        sys.exit(f"orders: {error.name} is missing, which shows what happens. Type: pip install rich")
    from orders_picture import draw

    screen = Screen(f"{len(WORKERS)} workers, {len(ORDERS)} orders in progress, a check asked for every {PAUSE} s")
    try:
        with tempfile.TemporaryDirectory() as folder, screen:
            backend = arguments.backend or f"sqlite:///{folder}/once.db"
            acts = play(Path(folder), backend, screen.show)
        screen.sum_up(acts)
        arguments.picture.write_text(draw(acts), encoding="utf-8")
        screen.point_to(arguments.picture)
    except (OnceError, OSError) as error:
        sys.exit(f"orders: {error}")
    except KeyboardInterrupt:
        sys.exit("orders: stopped")


if __name__ == "__main__":
    main()
