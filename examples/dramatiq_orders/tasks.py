"""The worker's side: the actor, and once inside it."""

import os
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from once_core import once

redis = os.environ["ONCE_URL"]  # keeps the leases, and is the broker too
broker = RedisBroker(url=redis)
broker.add_middleware(Results(backend=RedisBackend(url=f"{redis}?socket_timeout=60"), store_results=True))
dramatiq.set_broker(broker)


@dramatiq.actor
@once(key="check_order-{order_id}", return_on_locked="skipped, as it is being checked")
def check_order(order_id: int) -> str:
    time.sleep(0.5)  # the bank takes a while
    return f"checked in process {os.getpid()}"
