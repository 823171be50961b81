"""Application load balancers that work: listeners, rules, weights, health and metrics, on Envoy."""
