-- Ends a request: gives its lease back and counts what it took.
-- KEYS leases, reservations, tokens of this day, stats.
-- ARGV lease id, 1 if it is to be counted (0: only release), tokens, 1 if it failed, time (ISO 8601), task ms (0: a
-- stream), ms for which the day's tokens are kept.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
if ARGV[2] ~= '1' then
  return 0
end
local tokens = tonumber(ARGV[3])
if tokens > 0 then
  redis.call('INCRBY', KEYS[3], tokens)
  redis.call('PEXPIRE', KEYS[3], ARGV[7])
end
redis.call('HINCRBY', KEYS[4], 'requests_count', 1)
redis.call('HINCRBY', KEYS[4], 'total_tokens', tokens)
redis.call('HINCRBY', KEYS[4], 'errors_count', ARGV[4])
redis.call('HSET', KEYS[4], 'last_request', ARGV[5])
if tonumber(ARGV[6]) > 0 then
  redis.call('HINCRBY', KEYS[4], 'task_ms', ARGV[6])
  redis.call('HINCRBY', KEYS[4], 'task_count', 1)
end
return 1
