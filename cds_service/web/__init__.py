"""Floor 7: Flask blueprints."""
