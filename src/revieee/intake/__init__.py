"""From a delivery to facts: the endpoint that stores it, and the pure reading of its payload."""
