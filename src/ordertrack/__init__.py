"""Live order tracking over plain HTTP: an order log without gaps, read by cursor with long polls."""

__version__ = "0.1.0"
