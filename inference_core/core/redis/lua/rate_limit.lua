-- Admits a request unless `count` requests were admitted within the window before it.
-- Consecutive admissions form blocks. All of a block count until its last one has left the window. This bounds the list.
-- KEYS list: the number of admissions in the newest block, then the time (us) of the last admission of each block, newest
-- first. ARGV count, window (us), admissions of a block.
-- Returns 0, or the us until a request can be admitted.
local key, count, window, size = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local newest = tonumber(redis.call('LINDEX', key, 1) or 0)
if newest - now > window then
  -- The clock was set back. Without this, requests would be refused until it reaches its old time.
  redis.call('DEL', key)
  newest = 0
end
now = math.max(now, newest)
-- The place of this request in its block. A full block is followed by a new one.
local place = tonumber(redis.call('LINDEX', key, 0) or 0) % size
-- The block that contains the admission `count` before this one.
local back = math.ceil((count - place) / size)
local last = redis.call('LINDEX', key, place == 0 and back or back + 1)
if last and last + window > now then
  return last + window - now
end
if place == 0 then
  redis.call('LPOP', key)
  redis.call('LPUSH', key, now, 1)
  redis.call('LTRIM', key, 0, math.ceil(count / size) + 1)
else
  redis.call('LSET', key, 0, place + 1)
  redis.call('LSET', key, 1, now)
end
redis.call('PEXPIRE', key, math.ceil(window / 1000))
return 0
