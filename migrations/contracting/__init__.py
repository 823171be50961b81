"""What must be gone before a contract, and what it would remove."""
