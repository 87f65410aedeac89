"""Tasks for Celery's workers, beside those of the page. Nothing says where once has its store but ONCE_URL."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from celery.exceptions import Ignore
from celery_tasks import app, check_order

from once_core import current_lease, once
from queues.programs.shop import ask_the_bank
from queues.witness import checking, wait_at_gate

check_order.run.is_locked(0)  # the store is asked before the worker forks


@app.task
@once(key="check_quickly-{order_id}", return_on_locked="skipped")
def check_quickly(order_id: int) -> str:
    with checking(order_id):
        time.sleep(0.03)
    return "checked"


@app.task(bind=True)
@once(key="check_bound-{order_id}")
def check_bound(self: Any, order_id: int, *, since: UUID | None = None) -> list[str]:
    lease = current_lease()
    assert lease is not None
    return [self.name, lease.key, self.request.id]


@app.task
@once(key="check_ignored-{order_id}")
def check_ignored(order_id: int) -> None:
    ask_the_bank(order_id)
    raise Ignore


@app.task(bind=True)
@once(key="retry_inside-{order_id}", return_on_locked="skipped")
def retry_inside(self: Any, order_id: int) -> None:
    with checking(order_id):
        self.retry(countdown=0, throw=False)
        wait_at_gate(order_id)
