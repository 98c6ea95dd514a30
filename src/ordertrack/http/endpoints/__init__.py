"""Endpoints: the answers to requests, written once for every transport. Values in, values out."""
