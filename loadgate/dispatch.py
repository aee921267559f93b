"""Which user class comes next: every class that has a weight gets its first user before any gets its second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import heapify, heapreplace
from math import log2

from locust import User
from locust.dispatch import UsersDispatcher
from locust.runners import WorkerNode


def weighted_order(weights: Iterable[tuple[str, float]]) -> Iterator[str]:
    """Yield class names without end: each once, the heaviest first, then so that the shares follow the weights.

    After the first round the next name is always the one that brings the shares nearest to the weights, measured by
    Kullback-Leibler divergence as in Locust's own dispatcher. Without a positive weight nothing is yielded.
    """
    positive = sorted(((weight, name) for name, weight in weights if weight > 0), key=lambda item: (-item[0], item[1]))
    if not positive:
        return
    yield from (name for _, name in positive)
    # (gain of choosing it next, its weight plus the times it was chosen, weight, name)
    heap = [(weight * log2((weight + 1) / (weight + 2)), weight + 1, weight, name) for weight, name in positive]
    heapify(heap)
    while True:
        _, chosen, weight, name = heap[0]
        yield name
        heapreplace(heap, (weight * log2((chosen + 1) / (chosen + 2)), chosen + 1, weight, name))


class GateDispatcher(UsersDispatcher):
    """Locust's dispatcher with `weighted_order`, and with a way to end a ramp at once.

    Locust's own order starves light classes while few users run: with weights 28/2/50/2 the first eighteen users
    belong to two classes. And its master goes on with a ramp after a run was stopped, which starts users anew.
    """

    def __init__(self, worker_nodes: list[WorkerNode], user_classes: list[type[User]]) -> None:
        self._halted = False
        super().__init__(worker_nodes, user_classes)

    def halt(self) -> None:
        """Dispatch nothing any more."""
        self._halted = True

    def __next__(self) -> dict[str, dict[str, int]]:
        """Return the next distribution of users over workers."""
        if self._halted:
            raise StopIteration
        following = super().__next__()
        if self._halted:
            raise StopIteration
        return following

    def _user_gen(self) -> Iterator[str | None]:
        weighted = weighted_order((user.__name__, user.weight) for user in self._user_classes if not user.fixed_count)
        while True:
            if self._try_dispatch_fixed:
                self._try_dispatch_fixed = False
                for name, missing in self._missing_fixed_users().items():
                    yield from [name] * missing
            else:
                yield next(weighted, None)

    def _missing_fixed_users(self) -> Mapping[str, int]:
        missing = {
            user.__name__: user.fixed_count - self._get_user_current_count(user.__name__)
            for user in self._user_classes
            if user.fixed_count
        }
        return {name: count for name, count in missing.items() if count > 0}
