"""The orders service: the example of a stateful service that bluegreen releases."""
