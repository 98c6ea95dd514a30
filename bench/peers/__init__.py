"""What ordertrack is measured against, each on the same machine, in the same run, under the same load."""
