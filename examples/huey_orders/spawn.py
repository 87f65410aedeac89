"""The spawner: asks for a check of each order in progress, again and again, whether or not it is being checked."""

import time

from tasks import check_order

ORDERS_IN_PROGRESS = (41, 42, 43)

asked = []
for _ in range(6):
    asked += [(order_id, check_order(order_id)) for order_id in ORDERS_IN_PROGRESS]
    time.sleep(0.2)
for order_id, result in asked:
    print(f"order {order_id}: {result.get(blocking=True, timeout=60)}")
