-- Admits a request of a user, or returns the reached limit and the time to wait. One atomic step, so that two
-- requests cannot both use the rest of a limit.
-- KEYS requests of this minute, leases (set by their end), tokens each lease has reserved, tokens of this day, stats.
-- ARGV lease id, requests per minute, concurrent leases, tokens per day (0: no limit), tokens to reserve, tokens among
-- them that are counted now (the prompt of a stream), lease ms, ms to the end of the day, time (ISO 8601), ms for which
-- the day's tokens are stored.
-- Returns {outcome, ms}: 'ok' and the mean duration of a task (-1: unknown), or the reached limit and the time to wait.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local per_minute, at_once, per_day = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local estimate, prompt, lease_ms = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

if per_minute > 0 and tonumber(redis.call('GET', KEYS[1]) or '0') >= per_minute then
  return {'requests', math.max(1, redis.call('PTTL', KEYS[1]))}
end
-- Leases of crashed processes. Their prompts have been counted.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[3], id)
end
if at_once > 0 and redis.call('ZCARD', KEYS[2]) >= at_once then
  return {'concurrency', 1000}
end
if per_day > 0 then
  local used = tonumber(redis.call('GET', KEYS[4]) or '0')
  if used + estimate > per_day then
    return {'tokens', tonumber(ARGV[8])}
  end
  local reserved = 0
  for _, tokens in ipairs(redis.call('HVALS', KEYS[3])) do
    reserved = reserved + tokens
  end
  if used + reserved + estimate > per_day then
    return {'tokens', 1000}
  end
end
if redis.call('INCR', KEYS[1]) == 1 then
  redis.call('PEXPIRE', KEYS[1], 60000)
end
redis.call('ZADD', KEYS[2], now + lease_ms, ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], estimate - prompt)
for _, key in ipairs({KEYS[2], KEYS[3]}) do
  redis.call('PEXPIRE', key, math.max(lease_ms, redis.call('PTTL', key)))
end
if prompt > 0 then
  redis.call('INCRBY', KEYS[4], prompt)
  redis.call('PEXPIRE', KEYS[4], ARGV[10])
  redis.call('HINCRBY', KEYS[5], 'total_tokens', prompt)
end
redis.call('HINCRBY', KEYS[5], 'requests_count', 1)
redis.call('HSET', KEYS[5], 'last_request', ARGV[9])
local done = redis.call('HMGET', KEYS[5], 'task_ms', 'task_count')
if done[1] and done[2] and tonumber(done[2]) > 0 then
  return {'ok', math.floor(done[1] / done[2])}
end
return {'ok', -1}
