-- Takes the next message of several queues, and records in the same step that a worker has it.
-- The message is removed first: a full Redis refuses a script whose first write needs memory, but completes one whose
-- first write frees memory.
-- KEYS hash of taken messages, sorted set of the times at which they were taken, stream of the sent messages, lists in
-- the order in which they are read.
-- ARGV delivery tag, then for each list the end of its records ('' for messages that are not acknowledged). A record is
-- the JSON list of the message, its exchange and its routing key, from which kombu can return the message.
-- Returns {list, message}. If all lists are empty, returns the id of the last entry in the stream.
for index = 4, #KEYS do
  local message = redis.call('RPOP', KEYS[index])
  if message then
    local rest = ARGV[index - 2]
    if rest ~= '' then
      local now = redis.call('TIME')
      redis.call('HSET', KEYS[1], ARGV[1], '[' .. message .. rest)
      redis.call('ZADD', KEYS[2], now[1] .. string.format('.%06d', now[2]), ARGV[1])
    end
    return {KEYS[index], message}
  end
end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
return last and last[1] or '0-0'
