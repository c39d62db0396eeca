"""People and their keys: who somebody is, whatever name they come under."""
