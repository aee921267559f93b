"""The queues of the service, and the routing of tasks to them."""

from __future__ import annotations

DEFAULT_QUEUE = "default"
MAIL_QUEUE = "mail"
LLM_QUEUE = "llm_tasks"
ALL_QUEUES = (DEFAULT_QUEUE, MAIL_QUEUE, LLM_QUEUE)

# Prefixes of task names with a separate queue. All other tasks go to the default queue.
DEDICATED = {"mail.": MAIL_QUEUE, "llm.": LLM_QUEUE}


def task_routes(*, dedicated: bool) -> dict[str, dict[str, str]]:
    """Return the queues of tasks in the form of Celery's `task_routes`.

    Without `dedicated` queues, all tasks go to the default queue, so that a single worker can run all tasks in
    development.
    """
    if not dedicated:
        return {}
    return {f"{prefix}*": {"queue": queue} for prefix, queue in DEDICATED.items()}
