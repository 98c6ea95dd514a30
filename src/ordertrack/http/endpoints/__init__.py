"""What requests are answered with, written once and free of transport: values in, values out."""
