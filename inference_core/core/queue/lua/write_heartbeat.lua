-- Writes the heartbeat of a worker, with the time of Redis in milliseconds before it, unless another worker has the name.
-- A worker that is stopping, or that was silent for too long, has lost its name.
-- KEYS hash of all workers.
-- ARGV name of the worker, its state as JSON, its token (a part of this state), milliseconds of silence.
-- Returns seconds and microseconds of TIME, and 1 if the heartbeat was written, else 0.
local now = redis.call('TIME')
local stamp = now[1] * 1000 + math.floor(now[2] / 1000)
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and not string.find(held, ARGV[3], 1, true) and not string.find(held, '"phase":"stopping"', 1, true) then
  local written = tonumber(string.match(held, '^(%d+) ')) or 0
  if stamp - written <= tonumber(ARGV[4]) then
    return {now[1], now[2], 0}
  end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', stamp) .. ' ' .. ARGV[2])
return {now[1], now[2], 1}
