-- Starts a session (family): KEYS session, the user's index, then the keys a successful login clears.
-- ARGV session id, user, token hash, absolute lifetime ms, idle lifetime ms, most sessions, session key prefix,
-- client address, user agent.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expires = now + ARGV[4]
redis.call('HSET', KEYS[1], 'user', ARGV[2], 'current', ARGV[3], 'generation', 0, 'confirmed', 0,
  'created_ms', now, 'used_ms', now, 'expires_ms', expires, 'address', ARGV[8], 'user_agent', ARGV[9])
redis.call('PEXPIREAT', KEYS[1], math.min(now + ARGV[5], expires))
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], expires, ARGV[1])
redis.call('PEXPIREAT', KEYS[2], expires)
local surplus = redis.call('ZCARD', KEYS[2]) - ARGV[6]
if surplus > 0 then
  for _, oldest in ipairs(redis.call('ZPOPMIN', KEYS[2], surplus)) do
    redis.call('DEL', ARGV[7] .. oldest)
  end
end
for position = 3, #KEYS do
  redis.call('DEL', KEYS[position])
end
return now
