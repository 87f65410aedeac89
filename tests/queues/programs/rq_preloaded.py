"""A worker of rq that has imported its tasks, and asked the store, before it forks for the first of them."""

from __future__ import annotations

import rq_tasks
from rq import Worker

assert not rq_tasks.check_order.is_locked(0)
Worker(["preloaded"], connection=rq_tasks.redis).work()
