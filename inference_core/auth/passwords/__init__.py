"""Password hashing, and the policy for new passwords."""
