-- One refresh. KEYS session, key of an index without its user. ARGV presented token's hash, its successor's hash,
-- grace ms, idle lifetime ms, session id.
-- Returns {'rotated', user, generation, token version at its start, hash of the current token}, {'repeated', the same},
-- {'reused', user} with the family ended, or {'gone'}.
local session = redis.call('HMGET', KEYS[1], 'user', 'current', 'previous', 'generation', 'confirmed',
  'replaced_ms', 'expires_ms', 'version')
local user = session[1]
if not user then
  return {'gone'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local generation, expires = tonumber(session[4]), tonumber(session[7])
local index = KEYS[2] .. user
if now >= expires then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', index, ARGV[5])
  return {'gone'}
end
if ARGV[1] == session[2] then
  redis.call('HSET', KEYS[1], 'previous', ARGV[1], 'current', ARGV[2], 'generation', generation + 1,
    'replaced_ms', now, 'used_ms', now)
  redis.call('PEXPIREAT', KEYS[1], math.min(now + ARGV[4], expires))
  return {'rotated', user, generation + 1, session[8], ARGV[2]}
end
if ARGV[1] == session[3] then
  local in_grace = now - tonumber(session[6]) <= tonumber(ARGV[3])
  if in_grace or tonumber(session[5]) < generation then
    return {'repeated', user, generation, session[8], session[2]}
  end
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', index, ARGV[5])
return {'reused', user}
