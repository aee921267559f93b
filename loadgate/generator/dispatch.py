"""A dispatcher of users that starts every class early and that can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from locust import User
from locust.dispatch import UsersDispatcher
from locust.runners import WorkerNode

from loadgate.shape.weighted import weighted_order


class GateDispatcher(UsersDispatcher):
    """Locust's dispatcher with `weighted_order` and with `halt`.

    In Locust's order, classes with small weights get their first users late. With the weights 28/2/50/2, the first
    18 users belong to two classes. Locust's master also continues a ramp after the run was stopped, and so starts new
    users. `on_change` is called at the start of every change of the number of users. A worker that connects
    during a run gets no users before it is admitted. `on_loss` is called when a worker has gone.
    """

    def __init__(
        self,
        worker_nodes: list[WorkerNode],
        user_classes: list[type[User]],
        on_change: Callable[[], None],
        on_loss: Callable[[], None],
        admits: Callable[[str], bool],
    ) -> None:
        self._halted = False
        self._has_begun = False
        self._on_change = on_change
        self._on_loss = on_loss
        self._admits = admits
        super().__init__(worker_nodes, user_classes)

    def new_dispatch(
        self, target_user_count: int, spawn_rate: float, user_classes: list[type[User]] | None = None
    ) -> None:
        """Start a change of the number of users. Locust also calls this if nothing changes, after `add_worker`."""
        is_same = target_user_count == self.get_current_user_count() and user_classes is None and not self._rebalance
        super().new_dispatch(target_user_count, spawn_rate, user_classes)
        if self._has_begun and is_same:
            return
        self._has_begun = True
        self._on_change()

    def add_worker(self, worker_node: WorkerNode) -> None:
        """Let a worker take users, if it is admitted and does not take any yet."""
        if self._admits(worker_node.id) and not self._has(worker_node):
            super().add_worker(worker_node)

    def remove_worker(self, worker_node: WorkerNode) -> None:
        """Distribute the users of a worker that has left."""
        if self._has(worker_node):
            super().remove_worker(worker_node)
        self._on_loss()

    def has_users(self, worker_id: str) -> bool:
        """Return whether a worker has users. On a busy machine, they may not have started yet."""
        return any(self._users_on_workers.get(worker_id, {}).values())

    def _has(self, worker_node: WorkerNode) -> bool:
        return any(node.id == worker_node.id for node in self._worker_nodes)

    def halt(self) -> None:
        """Stop dispatching users."""
        self._halted = True

    def __next__(self) -> dict[str, dict[str, int]]:
        """Return the next distribution of users over workers."""
        if self._halted:
            raise StopIteration
        try:
            following = super().__next__()
        except StopIteration:
            # After the loss of a worker, Locust's generator ends without this, and ignores the loss of the next one.
            self._dispatch_in_progress = False
            raise
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


class Dispatchers:
    """The `dispatcher_class` of a process. Locust calls it at least once for each run to create a dispatcher."""

    def __init__(self, on_change: Callable[[], None], on_loss: Callable[[], None]) -> None:
        self.admits: Callable[[str], bool] = lambda _: True
        """Whether the worker with this id may get users."""
        self._on_change = on_change
        self._on_loss = on_loss
        self._made: list[GateDispatcher] = []

    def __call__(self, worker_nodes: list[WorkerNode], user_classes: list[type[User]]) -> GateDispatcher:
        """Create the dispatcher that Locust uses from now on."""
        self._made = [GateDispatcher(worker_nodes, user_classes, self._on_change, self._on_loss, self.admits)]
        return self._made[0]

    def add_worker(self, worker_node: WorkerNode) -> None:
        """Let a worker take users of the current run, if there is one."""
        for dispatcher in self._made:
            dispatcher.add_worker(worker_node)

    def has_users(self, worker_id: str) -> bool:
        """Return whether a worker has users."""
        return any(dispatcher.has_users(worker_id) for dispatcher in self._made)

    def halt(self) -> None:
        """Stop the current dispatcher."""
        for dispatcher in self._made:
            dispatcher.halt()
