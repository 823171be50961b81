"""What a release would do, before it does it: one report as text and as JSON."""
