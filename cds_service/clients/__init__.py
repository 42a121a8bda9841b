"""Floor 7: who may call: the client registry, client tokens, key sets, and the memory of tokens that were used."""
