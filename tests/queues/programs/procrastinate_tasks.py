"""Tasks of procrastinate, whose queue and whose leases are in one PostgreSQL."""

from __future__ import annotations

import os

from procrastinate import App, PsycopgConnector, RetryStrategy

from once_core import SKIPPED, AlreadyLocked, once
from queues.programs.bodies import TTL, TryAgain, acheck, check, refund

app = App(connector=PsycopgConnector(conninfo=os.environ["ONCE_URL"]))


@app.task
@once(key="check_order-{order_id}", return_on_locked=SKIPPED, ttl=TTL)
async def check_order(order_id: int) -> str:
    return await acheck(order_id)


@app.task
@once(key="check_order-{order_id}", return_on_locked=SKIPPED, ttl=TTL)
def check_order_in_thread(order_id: int) -> str:
    return check(order_id)


@app.task
@once(key="check_order-{order_id}", raise_on_locked=True)
async def cancel_order(order_id: int) -> str:
    return "cancelled"


@app.task(retry=RetryStrategy(max_attempts=1000, wait=1, retry_exceptions={AlreadyLocked}))
@once(key="charge_order-{order_id}", raise_on_locked=True)
async def charge_order(order_id: int) -> str:
    return await acheck(order_id)


@app.task(retry=RetryStrategy(max_attempts=2, retry_exceptions={TryAgain}))
@once(key="refund_order-{order_id}", return_on_locked=SKIPPED)
async def refund_order(order_id: int) -> str:
    return refund(order_id)
