-- Decides whether a delivery of a task runs it.
-- KEYS the task.
-- ARGV number of earlier tries, '1' if the broker delivers the message again, id of this call, seconds for which the
-- task is stored from now on.
-- Returns 'run', 'cancelled' or 'copy'. A copy is a second message for the same try that is not a redelivery: its sender
-- did not know that the first one was sent. A repeated call with the same id gets the same answer.

-- Tasks without an entry, such as the service's own mail and maintenance, always run.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'run'
end
if redis.call('HEXISTS', KEYS[1], 'cancelled') == 1 then
  return 'cancelled'
end
local field = 'started:' .. ARGV[1]
local first = redis.call('HSETNX', KEYS[1], field, ARGV[3])
if first == 0 and ARGV[2] ~= '1' and redis.call('HGET', KEYS[1], field) ~= ARGV[3] then
  return 'copy'
end
redis.call('HSET', KEYS[1], 'started', 1)
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 'run'
