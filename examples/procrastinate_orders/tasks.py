"""The worker's side: the task, and once inside it."""

import asyncio
import os

from procrastinate import App, PsycopgConnector

from once_core import once

app = App(connector=PsycopgConnector(conninfo=os.environ["ONCE_URL"]))  # keeps the leases, and is the queue too


@app.task
@once(key="check_order-{order_id}", return_on_locked="skipped, as it is being checked")
async def check_order(order_id: int) -> str:
    await asyncio.sleep(1)  # the bank takes a while
    return f"checked in process {os.getpid()}"
