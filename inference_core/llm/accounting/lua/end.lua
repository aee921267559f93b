-- Ends a request: releases its lease and counts the tokens that were not counted before.
-- KEYS leases, reservations, tokens of the day, stats.
-- ARGV lease id, tokens to add (negative: too many were counted), requests to add, errors to add, task ms (0: a stream),
-- ms for which the day's tokens are stored, mode. With the mode 'held', the script does nothing if there is no lease,
-- because an earlier call has ended the request. The mode 'any' is for requests without a lease.
local held = redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
if ARGV[7] == 'held' and held == 0 then
  return 0
end
local tokens = tonumber(ARGV[2])
if tokens ~= 0 then
  redis.call('INCRBY', KEYS[3], tokens)
  redis.call('PEXPIRE', KEYS[3], ARGV[6])
  redis.call('HINCRBY', KEYS[4], 'total_tokens', tokens)
end
redis.call('HINCRBY', KEYS[4], 'requests_count', ARGV[3])
redis.call('HINCRBY', KEYS[4], 'errors_count', ARGV[4])
if tonumber(ARGV[5]) > 0 then
  redis.call('HINCRBY', KEYS[4], 'task_ms', ARGV[5])
  redis.call('HINCRBY', KEYS[4], 'task_count', 1)
end
return 1
