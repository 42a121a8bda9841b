"""Floor 3: what rules may ask about: generic facts of orders, exposures, indications; no drug names."""
