"""The release story, run for real on the embedded AWS: load, releases, rollbacks, failures, and what came of it."""
