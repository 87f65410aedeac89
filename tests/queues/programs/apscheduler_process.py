"""A process with a scheduler of its own, as each copy of a program has one: `KIND ORDER ORDER ... - ORDER`.

Every 0.1 s it checks each order, cancels those after the dash, and makes a report. The journal gets each job's answer.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import apscheduler_tasks as tasks
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.executors.pool import ProcessPoolExecutor, ThreadPoolExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from queues.witness import note

kind = sys.argv[1]
dash = sys.argv.index("-")
executors: dict[str, Any] = {
    "threads": lambda: ThreadPoolExecutor(8),
    "processes": lambda: ProcessPoolExecutor(8),
    "loop": AsyncIOExecutor,
}


async def main() -> None:
    scheduler = AsyncIOScheduler(executors={"default": executors[kind]()})
    scheduler.add_listener(answered, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
    check = tasks.check_order_in_loop if kind == "loop" else tasks.check_order
    for order in sys.argv[2:dash]:
        scheduler.add_job(check, "interval", seconds=0.1, args=[order], id=order)
    for order in sys.argv[dash + 1 :]:
        scheduler.add_job(tasks.cancel_order, "interval", seconds=0.1, args=[order], id=order)
    scheduler.add_job(tasks.report, "interval", seconds=0.1, id="report")
    scheduler.start()
    print("ready")
    await asyncio.Event().wait()


def answered(event: Any) -> None:
    note("answer", event.job_id, kind, event.retval or type(event.exception).__name__)


if __name__ == "__main__":
    asyncio.run(main())
