"""What happens to the rows of this app when something happens to a person (contacts/following.py)."""
