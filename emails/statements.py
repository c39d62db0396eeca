"""The SQL of the ledger: functions of emails/migrations/0003, each one round trip."""

DECIDE = "select emails_decide($1, $2, $3, $4, $5, $6)"
RECORD = f"select emails_record({', '.join(f'${n}' for n in range(1, 21))})"
HOLD = "select emails_hold($1, $2, $3, $4)"
START = "select emails_start($1, $2, $3, $4)"
ACCEPT = "select emails_accept($1, $2, $3, $4)"
