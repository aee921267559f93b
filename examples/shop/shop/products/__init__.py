"""Products: everybody reads them, and users with a permission add them."""
