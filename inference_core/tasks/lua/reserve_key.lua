-- Reserves an Idempotency-Key for a request.
-- KEYS the key.
-- ARGV fingerprint of the request, id for a new task, seconds for which the key is stored, milliseconds after which an
-- unfinished submission counts as abandoned.
-- Returns {outcome, id of the task}: 'new', 'sent' (the task was sent), 'again' (the submission was not finished), 'busy'
-- (another request submits it) or 'other' (the key was used for a different request).
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'fingerprint', 'task_id', 'sent', 'at_ms')
if not known[1] then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'task_id', ARGV[2], 'at_ms', string.format('%.0f', now_ms))
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  return {'new', ARGV[2]}
end
if known[1] ~= ARGV[1] then
  return {'other', ''}
end
if known[3] then
  return {'sent', known[2]}
end
if now_ms - tonumber(known[4]) < tonumber(ARGV[4]) then
  return {'busy', ''}
end
redis.call('HSET', KEYS[1], 'at_ms', string.format('%.0f', now_ms))
return {'again', known[2]}
