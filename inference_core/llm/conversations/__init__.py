"""The stored conversations, and the prompts that are built from them."""
