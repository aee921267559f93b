-- Puts one unit back into each of several token buckets. KEYS buckets. ARGV for each the ms in which a unit is refilled.
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
for i, key in ipairs(KEYS) do
  local at = tonumber(redis.call('GET', key) or 0) - ARGV[i]
  if at > now then
    redis.call('SET', key, string.format('%.3f', at), 'PX', math.ceil(at - now))
  else
    redis.call('DEL', key)
  end
end
return 0
