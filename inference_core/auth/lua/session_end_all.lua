-- Ends all sessions of a user but one. KEYS the user's index. ARGV session key prefix, session id to keep ('' for none).
-- Returns how many were ended.
local ended = 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if id ~= ARGV[2] then
    ended = ended + redis.call('DEL', ARGV[1] .. id)
    redis.call('ZREM', KEYS[1], id)
  end
end
return ended
