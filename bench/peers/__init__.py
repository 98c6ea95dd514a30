"""The servers that ordertrack is compared with, on the same machine and under the same load."""
