"""The edge of an application: connections, heads, bodies, slots, and the drain at its end."""
