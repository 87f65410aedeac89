"""The spawner: asks for a check of each order in progress, again and again, whether or not it is being checked."""

import time

from tasks import check_order

ORDERS_IN_PROGRESS = (41, 42, 43)

asked = []
for _ in range(6):
    asked += [(order_id, check_order.delay(order_id)) for order_id in ORDERS_IN_PROGRESS]
    time.sleep(0.2)
for order_id, job in asked:
    while not (job.is_finished or job.is_failed):
        time.sleep(0.1)
    print(f"order {order_id}: {job.return_value() if job.is_finished else job.get_status().value}")
