"""Talk to the outside and know nothing of us: each client takes and gives plain values and has errors of its own."""
