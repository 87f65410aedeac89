"""The work that the recipes guard: it takes as long, and fails as often, as the test says."""

from __future__ import annotations

from queues.witness import await_gate, checking, is_to_fail, wait_at_gate


class BankIsDown(Exception):
    """Why a check has to be tried again."""


def ask_the_bank(order_id: int) -> str:
    with checking(order_id):
        wait_at_gate(order_id)
        if is_to_fail(order_id):
            raise BankIsDown
    return "checked"


async def ask_the_bank_async(order_id: int) -> str:
    with checking(order_id):
        await await_gate(order_id)
        if is_to_fail(order_id):
            raise BankIsDown
    return "checked"
