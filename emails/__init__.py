"""What we write: e-mail definitions, rendering, the send ledger and delivery."""
