"""Floor 4: rules as typed data: loaded with every error at once, evaluated in three-valued logic with a trace."""
