"""Fills rows in batches, beside the traffic."""
