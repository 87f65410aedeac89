"""The spawner: asks for a check of each order in progress, again and again, whether or not it is being checked."""

import asyncio

from tasks import broker, check_order

ORDERS_IN_PROGRESS = (41, 42, 43)


async def main() -> None:
    await broker.startup()
    asked = []
    for _ in range(6):
        asked += [(order_id, await check_order.kiq(order_id)) for order_id in ORDERS_IN_PROGRESS]
        await asyncio.sleep(0.2)
    for order_id, request in asked:
        result = await request.wait_result(timeout=60)
        print(f"order {order_id}: {result.return_value}")
    await broker.shutdown()


asyncio.run(main())
