"""The demo: the main job on real parts, played visibly. `bin/demo` sets up what it needs and runs it."""
