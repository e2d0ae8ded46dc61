"""A stand-in for the Hugging Face hub: real files, real range requests, and faults on demand."""
