"""A program that checks each order in progress, again and again, as each of its copies does."""

import os
import time

from apscheduler.events import EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler

from once_core import once

ORDERS_IN_PROGRESS = (41, 42, 43)


@once(key="check_order-{order_id}", return_on_locked="skipped, as it is being checked")
def check_order(order_id: int) -> str:
    time.sleep(0.5)  # the bank takes a while
    return "checked"


def answered(event: JobExecutionEvent) -> None:
    line = f"order {event.job_id}: {event.retval} (process {os.getpid()})"
    print(line + "\n", end="")  # in one piece, as several threads print


scheduler = BackgroundScheduler()
scheduler.add_listener(answered, EVENT_JOB_EXECUTED)
for order_id in ORDERS_IN_PROGRESS:
    scheduler.add_job(check_order, "interval", seconds=0.3, args=[order_id], id=str(order_id))
scheduler.start()
time.sleep(4)
scheduler.shutdown()
