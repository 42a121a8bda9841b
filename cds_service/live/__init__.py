"""Floor 8: the rules of a running service: in force, watched by sentinels, and exchanged without a restart."""
