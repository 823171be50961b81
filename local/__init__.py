"""The embedded AWS: everything this project uses of AWS, on loopback, with no account."""
