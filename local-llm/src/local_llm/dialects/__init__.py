"""Chat Completions and Messages: requests in, replies and errors out."""
