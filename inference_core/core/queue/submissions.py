"""The data of a submitted task in Redis in addition to its result: its owner, and whether it was started or cancelled.

This is a hash for each task, with the lifetime of the task's result. Starting and cancelling are atomic steps, so a
task is either started or cancelled.
"""

from __future__ import annotations

from typing import Literal

Claim = Literal["run", "cancelled", "copy"]
CancelOutcome = Literal["cancelled", "started", "unknown"]

# KEYS[1] the task; ARGV[1] the number of earlier tries, ARGV[2] "1" if the broker delivers the message again,
# ARGV[3] who asks, ARGV[4] seconds to remember the task from now on.
# A task that nobody registered (the service's own mail, maintenance) is run without asking. A second message for the
# same try that is not a redelivery is a copy: its sender did not know that the first had gone out. Who asks again
# because the first answer was lost is told the same.
CLAIM_SCRIPT = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 'run' end
if redis.call('HEXISTS', KEYS[1], 'cancelled') == 1 then return 'cancelled' end
local field = 'started:' .. ARGV[1]
local first = redis.call('HSETNX', KEYS[1], field, ARGV[3])
if first == 0 and ARGV[2] ~= '1' and redis.call('HGET', KEYS[1], field) ~= ARGV[3] then return 'copy' end
redis.call('HSET', KEYS[1], 'started', 1)
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 'run'
"""

# KEYS[1] the task.
CANCEL_SCRIPT = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 'unknown' end
if redis.call('HEXISTS', KEYS[1], 'started') == 1 then return 'started' end
redis.call('HSET', KEYS[1], 'cancelled', 1)
return 'cancelled'
"""


def task_key(task_id: str) -> str:
    """Return the key of a task's hash."""
    return f"task:{task_id}"


def result_key(task_id: str) -> str:
    """Return the key of a task's result in Celery's Redis backend."""
    return f"celery-task-meta-{task_id}"
