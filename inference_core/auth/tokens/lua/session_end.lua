-- Ends one session. KEYS session, key of an index without its user. ARGV session id, the user it must belong
-- to ('' for any).
-- Returns the user, or nothing if there was no such session.
local user = redis.call('HGET', KEYS[1], 'user')
if not user or (ARGV[2] ~= '' and ARGV[2] ~= user) then
  return false
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2] .. user, ARGV[1])
return user
