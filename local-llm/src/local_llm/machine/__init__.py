"""What memory and cores there are."""
