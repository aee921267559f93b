-- Takes one unit from each of several token buckets, or none if a lock is active or a bucket is empty.
-- The value of a bucket is the time (ms) at which it will be full again. Its key expires then.
-- KEYS locks, then buckets. ARGV number of locks, then for each bucket its capacity and the ms in which a unit returns.
-- Returns {0, 0}, or the index of the refusing key (from 1) and the remaining ms.
local locks = tonumber(ARGV[1])
for i = 1, locks do
  local left = redis.call('PTTL', KEYS[i])
  if left > 0 then
    return {i, left}
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local full_at = {}
for i = locks + 1, #KEYS do
  local n = 2 * (i - locks)
  local capacity, interval = tonumber(ARGV[n]), tonumber(ARGV[n + 1])
  local at = math.max(now, tonumber(redis.call('GET', KEYS[i]) or 0)) + interval
  local wait = at - now - capacity * interval
  if wait > 0 then
    return {i, math.ceil(wait)}
  end
  full_at[i] = at
end
for i, at in pairs(full_at) do
  redis.call('SET', KEYS[i], string.format('%.3f', at), 'PX', math.ceil(at - now))
end
return {0, 0}
