"""Answers to requests, written once and free of transport: values in, values out."""
