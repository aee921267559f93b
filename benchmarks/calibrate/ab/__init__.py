"""The proof that `loadgate ab` finds a slower version, and does not find one that is not slower."""
