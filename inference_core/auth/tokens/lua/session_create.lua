-- Starts a session (family) unless simultaneous attempts have locked this one meanwhile.
-- KEYS session, the user's index, counter of failed logins and lock (a start clears both), key of a session
-- without its id.
-- ARGV session id, user, token hash, absolute lifetime ms, idle lifetime ms, most sessions,
-- client address, user agent, the account's token version.
-- Returns 0, or the remaining ms of the lock.
local locked = redis.call('PTTL', KEYS[4])
if locked > 0 then
  return locked
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expires = now + ARGV[4]
redis.call('HSET', KEYS[1], 'user', ARGV[2], 'current', ARGV[3], 'generation', 0, 'confirmed', 0,
  'created_ms', now, 'used_ms', now, 'expires_ms', expires, 'address', ARGV[7], 'user_agent', ARGV[8],
  'version', ARGV[9])
redis.call('PEXPIREAT', KEYS[1], math.min(now + ARGV[5], expires))
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], expires, ARGV[1])
redis.call('PEXPIREAT', KEYS[2], expires)
local surplus = redis.call('ZCARD', KEYS[2]) - ARGV[6]
if surplus > 0 then
  for _, oldest in ipairs(redis.call('ZPOPMIN', KEYS[2], surplus)) do
    redis.call('DEL', KEYS[5] .. oldest)
  end
end
redis.call('DEL', KEYS[3], KEYS[4])
return 0
