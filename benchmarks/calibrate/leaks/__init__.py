"""The proof in real time that leaks are found, with their kind, and that nothing else is called a leak."""
