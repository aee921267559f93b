-- Counts one use in a window that begins with the first. KEYS counter. ARGV window ms. Returns the count.
local used = redis.call('INCR', KEYS[1])
if used == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return used
