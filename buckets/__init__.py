"""Groups of people whose membership follows what they do."""
