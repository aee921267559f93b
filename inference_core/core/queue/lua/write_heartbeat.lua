-- Writes the heartbeat of a worker, with the time of Redis in milliseconds before it.
-- KEYS hash of all workers.
-- ARGV name of the worker, its state as JSON.
-- Returns the reply of TIME: seconds and microseconds.
local now = redis.call('TIME')
local stamp = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', stamp) .. ' ' .. ARGV[2])
return now
