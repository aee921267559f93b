-- Records that an access token of a generation was used, so its refresh token has reached the client.
-- KEYS session. ARGV generation.
local confirmed = redis.call('HGET', KEYS[1], 'confirmed')
if confirmed and tonumber(confirmed) < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'confirmed', ARGV[1])
end
return confirmed
