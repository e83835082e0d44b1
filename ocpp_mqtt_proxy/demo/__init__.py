"""What `make run` and `make demo` need beside the service: a broker, and chargers to look at.

Nothing of the service imports this. Everything is a process of its own, as it is in life.
"""
