-- Counts the prompt of a task before it is sent, so that it counts even if the task or its process fails.
-- KEYS leases, reservations, tokens of this day, stats.
-- ARGV lease id, tokens of the prompt (negative: the provider refused it, and it must not count), lease ms, ms for which
-- the day's tokens are stored.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local prompt, lease_ms = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('INCRBY', KEYS[3], prompt)
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('HINCRBY', KEYS[4], 'total_tokens', prompt)
-- The task may have waited for a worker for longer than its lease.
redis.call('ZADD', KEYS[1], now + lease_ms, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], math.max(0, tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0') - prompt))
for _, key in ipairs({KEYS[1], KEYS[2]}) do
  redis.call('PEXPIRE', key, math.max(lease_ms, redis.call('PTTL', key)))
end
return 1
