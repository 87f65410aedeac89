"""The worker's side: the task, and once inside it."""

import os
import time

from celery import Celery

from once_core import once

redis = os.environ["ONCE_URL"]  # keeps the leases, and is the broker too
app = Celery("orders", broker=redis, backend=redis)


@app.task
@once(key="check_order-{order_id}", return_on_locked="skipped, as it is being checked")
def check_order(order_id: int) -> str:
    time.sleep(0.5)  # the bank takes a while
    return f"checked in process {os.getpid()}"
