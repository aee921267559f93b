"""Statistical methods, pure: no clock, no I/O. They lie below the rules, which use them."""
