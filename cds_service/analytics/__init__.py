"""Floor 7: what became of the advice, counted for those who own the rules: usage, alarms, comments, unknown codes; no patient data."""
