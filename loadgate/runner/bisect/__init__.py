"""`loadgate bisect`: find the commit that made a value worse."""
