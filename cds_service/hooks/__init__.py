"""Floor 5: the CDS Hooks messages, exactly as the specification names them; no Flask here."""
