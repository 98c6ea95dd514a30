"""Routes by noun. Each handler reads the request, asks a use case and words the answer; it decides nothing."""
