"""Live order tracking over plain HTTP: a gap-free order log read by cursor while the request is held."""

__version__ = "0.1.0"
