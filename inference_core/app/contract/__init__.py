"""The OpenAPI document as a contract with clients: write it, and find the changes that break them."""
