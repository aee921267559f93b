-- Ends one session. KEYS session. ARGV session id, index key prefix, the user it must belong to ('' for any).
-- Returns the user, or nothing when there was no such session.
local user = redis.call('HGET', KEYS[1], 'user')
if not user or (ARGV[3] ~= '' and ARGV[3] ~= user) then
  return false
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', ARGV[2] .. user, ARGV[1])
return user
