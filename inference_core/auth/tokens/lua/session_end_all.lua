-- Ends all sessions of a user but one. KEYS the user's index, key of a session without its id. ARGV session id to keep
-- ('' for none).
-- Returns the number of ended sessions.
local ended = 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if id ~= ARGV[1] then
    ended = ended + redis.call('DEL', KEYS[2] .. id)
    redis.call('ZREM', KEYS[1], id)
  end
end
return ended
