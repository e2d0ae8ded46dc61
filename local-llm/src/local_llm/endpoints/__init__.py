"""What is asked over HTTP: chat in two dialects, and health."""
