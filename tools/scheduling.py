"""Handing laws to workers: xdist's scheduler by class, with what a dead worker leaves behind put right."""

from typing import Any

from xdist.scheduler import LoadScopeScheduling


class LawScheduling(LoadScopeScheduling):
    """One worker judges all laws of a component; when it dies, others take over what it had not begun.

    xdist's own scheduler hands the classes that a dead worker had finished out again. They hold no item any more, and a
    worker that gets two such in a row waits for ever: it runs an item only when it knows the next, and the controller
    hands out more only when an item is done. It also runs the item that killed the worker once more.
    """

    def remove_node(self, node: Any) -> str | None:
        """Forget a worker; the item it died in, if it did."""
        workload = self.assigned_work.pop(node)
        left = [nodeid for unit in workload.values() for nodeid, done in unit.items() if not done]
        if not left:
            return None
        for scope, unit in workload.items():
            remaining = {nodeid: done for nodeid, done in unit.items() if not done and nodeid != left[0]}
            if remaining:
                self.workqueue[scope] = remaining
        for other in self.assigned_work:
            self._reschedule(other)
        return left[0]
