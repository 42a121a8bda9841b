"""Floor 7: what the service remembers: decisions, feedback and spent tokens, in SQLite or PostgreSQL; no patient data."""
