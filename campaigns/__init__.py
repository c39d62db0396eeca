"""One message to many people, exactly accounted."""
