-- Returns the age in seconds of the oldest message of each queue, as a text: '0' for an empty queue, and for a message
-- without the time at which it was sent.
-- KEYS queues, whose oldest messages are at the end.
-- ARGV name of the header with the time in epoch seconds, bytes at the end of a message in which it is looked for.
local now = redis.call('TIME')
local pattern = '"' .. ARGV[1] .. '": (%d+%.?%d*)[,}]'
local ages = {}
for index, queue in ipairs(KEYS) do
  local message = redis.call('LINDEX', queue, -1)
  -- In a JSON text, a quotation mark inside a value has a backslash, so that a value cannot look like the header.
  local sent = message and tonumber(string.match(string.sub(message, -ARGV[2]), pattern) or '')
  ages[index] = string.format('%.3f', sent and math.max(0, now[1] + now[2] / 1000000 - sent) or 0)
end
return ages
