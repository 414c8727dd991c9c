"""Fault injection: `make chaos` injects faults into the real services and prints the results.

`stack` runs sensor API, inference API and gateway under the supervisor of `make run`, in a separate
data folder, with a proxy between gateway and feed. `feed` is that proxy: it can stall the
connection and change rows. `faults` has one function for each fault of the services, `drops` one
for each invalid file, and `stream` one for a wrong clock. A fault passes if the services report it,
recover without help, and lose no data.
"""
