"""Floor 2: FHIR resources as the service reads them, and terminology."""
