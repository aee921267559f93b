"""The facts of one run: its state, its verdict, its document."""
