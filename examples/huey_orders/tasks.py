"""The worker's side: the task, and once inside it."""

import os
import time

from huey import SqliteHuey

from once_core import once

huey = SqliteHuey(filename="huey.db")


@huey.task()
@once(key="check_order-{order_id}", return_on_locked="skipped, as it is being checked")
def check_order(order_id: int) -> str:
    time.sleep(1)  # the bank takes a while
    return f"checked in process {os.getpid()}"
