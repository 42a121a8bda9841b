"""Floor 7: bounded reads of what prefetch did not bring, from the FHIR server of the call, as if it had been prefetched."""
