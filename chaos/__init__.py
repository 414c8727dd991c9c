"""Real faults in the real services: `make chaos` injects them one by one and prints what happened.

`stack` runs sensor API, inference API and gateway under the supervisor of `make run`, in a data
folder of its own, with a proxy between gateway and feed. `feed` is that proxy: it can stall, and it
can change what passes. `faults` has one function for each fault of the services, `drops` for each
hostile file. A fault holds when the services reported it, came back without help, and lost nothing.
"""
