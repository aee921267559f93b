"""The process\x27s Redis connections and the Lua scripts that run in it."""
