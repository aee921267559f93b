-- Returns the queue of each task that a worker holds, or '' for a task that no worker holds any longer.
-- KEYS hash of the messages that workers have taken, each as a JSON list that ends with the name of its queue.
-- ARGV the fields.
local queues = {}
for index, tag in ipairs(ARGV) do
  local message = redis.call('HGET', KEYS[1], tag)
  queues[index] = message and string.match(string.sub(message, -200), '"([^"]*)"%]$') or ''
end
return queues
