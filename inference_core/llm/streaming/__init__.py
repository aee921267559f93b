"""The streams of a process: their events, and what interrupts them."""
