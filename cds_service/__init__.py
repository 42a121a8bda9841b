"""Naltrexone decision support as a CDS Hooks service."""

__version__ = "0.1.0"
