"""A future whose hearer hears of it at once.

Those of `asyncio` tell in the loop's next step, and a task that waits for one goes on in the step after. Between two
sockets each step costs as much as reading one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

Hearer = Callable[[asyncio.Future[Any]], None]


class Prompt(asyncio.Future[T]):
    """A future with at most one prompt hearer; others wait for it as for any."""

    _hearer: Hearer | None = None

    def tell(self, hearer: Hearer) -> None:
        """Have one told as soon as there is a result or an exception: now, where there is one. He must not raise."""
        if self.done():
            hearer(self)
        else:
            self._hearer = hearer

    def set_result(self, result: T) -> None:
        """As `Future.set_result`."""
        super().set_result(result)
        if self._hearer is not None:
            self._hearer(self)

    def set_exception(self, exception: type | BaseException) -> None:
        """As `Future.set_exception`."""
        super().set_exception(exception)
        if self._hearer is not None:
            self._hearer(self)


def tell(future: asyncio.Future[Any], hearer: Hearer) -> None:
    """Have one told of any future, as soon as it can; of one that is cancelled too, unless it is prompt."""
    if isinstance(future, Prompt):
        future.tell(hearer)
    else:
        future.add_done_callback(hearer)
