"""JSON bodies: `requests` and `decoding` read them, the `*answers` write them. Its keys are the fields of structs."""
