"""Naltrexone decision support as a CDS Hooks service."""

__version__ = "0.1.0"
PROGRAM = "naltrexone-cds"
"""Name of the distribution, for what says by which program it was made."""
