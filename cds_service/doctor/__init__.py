"""Floor 7: the EHR's side of CDS Hooks, played against a running service to find what an EHR would stumble over."""
