"""The worker's side: the task, and once inside it."""

import os
import time

from redis import Redis
from rq.decorators import job

from once_core import once

redis = Redis.from_url(os.environ["ONCE_URL"])  # keeps the leases, and is the broker too


@job("default", connection=redis)
@once(key="check_order-{order_id}", return_on_locked="skipped, as it is being checked")
def check_order(order_id: int) -> str:
    time.sleep(1)  # the bank takes a while
    return f"checked in process {os.getpid()}"
