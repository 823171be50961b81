"""The session lock of the one runner, and tables' locks taken without making the service wait."""
