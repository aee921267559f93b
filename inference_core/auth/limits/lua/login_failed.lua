-- Counts a failed attempt and, from the allowed number on, locks for a time that doubles with each further failure.
-- KEYS counter, lock. ARGV failures allowed, first lock ms, longest lock ms, ms for which failures count.
-- Returns the duration of the lock in ms, 0 without a lock.
local failures = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local excess = failures - tonumber(ARGV[1])
if excess < 0 then
  return 0
end
local lock = math.min(ARGV[2] * 2 ^ math.min(excess, 30), tonumber(ARGV[3]))
redis.call('SET', KEYS[2], failures, 'PX', string.format('%d', lock))
return lock
