"""Kubernetes from the outside: requests to the API server, its errors, its resources."""
