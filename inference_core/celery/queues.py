"""The queues of the service and which task goes to which; pure data and one pure function."""

from __future__ import annotations

DEFAULT_QUEUE = "default"
MAIL_QUEUE = "mail"
LLM_QUEUE = "llm_tasks"
ALL_QUEUES = (DEFAULT_QUEUE, MAIL_QUEUE, LLM_QUEUE)

# Task name prefixes with a queue of their own; everything else goes to the default queue.
DEDICATED = {"mail.": MAIL_QUEUE, "llm.": LLM_QUEUE}


def task_routes(*, dedicated: bool) -> dict[str, dict[str, str]]:
    """Which task goes to which queue, in the form of Celery's `task_routes`.

    Without `dedicated` queues everything goes to the default one, so that a single worker that consumes
    only `default` does all the work of a development service.
    """
    if not dedicated:
        return {}
    return {f"{prefix}*": {"queue": queue} for prefix, queue in DEDICATED.items()}
