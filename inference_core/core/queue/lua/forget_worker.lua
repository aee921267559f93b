-- Removes the heartbeat of a worker that ends, unless another worker has its name by now.
-- KEYS hash of all workers.
-- ARGV name of the worker, its token.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and string.find(held, ARGV[2], 1, true) then
  redis.call('HDEL', KEYS[1], ARGV[1])
end
