"""The proof that loadgate measures truly: its figures beside those of a stub server that knows what it did."""
