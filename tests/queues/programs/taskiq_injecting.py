"""A task of taskiq that gets a dependency and an argument of its own type, though annotations are texts here."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from taskiq import Context, TaskiqDepends
from taskiq_tasks import broker

from once_core import once


@broker.task
@once(key="injected-{order_id.hex}")
async def injected(order_id: UUID, context: Annotated[Context, TaskiqDepends()]) -> list[str]:
    return [type(order_id).__name__, str(order_id), context.message.task_id]


@broker.task
@once(key="injected-{order_id.hex}")
def injected_in_thread(order_id: UUID, context: Annotated[Context, TaskiqDepends()]) -> list[str]:
    return [type(order_id).__name__, str(order_id), context.message.task_id]
