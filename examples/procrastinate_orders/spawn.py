"""The spawner: asks for a check of each order in progress, again and again, whether or not it is being checked."""

import time

from tasks import app, check_order

ORDERS_IN_PROGRESS = (41, 42, 43)

with app.open():
    for _ in range(6):
        for order_id in ORDERS_IN_PROGRESS:
            check_order.defer(order_id=order_id)
        time.sleep(0.2)
