-- Cancels a task that has not started.
-- KEYS the task.
-- Returns 'cancelled', 'started' or 'unknown'.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'unknown'
end
if redis.call('HEXISTS', KEYS[1], 'started') == 1 then
  return 'started'
end
redis.call('HSET', KEYS[1], 'cancelled', 1)
return 'cancelled'
