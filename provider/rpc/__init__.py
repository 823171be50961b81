"""What every resource plugin of this project shares: the provider protocol without the Pulumi SDK."""
