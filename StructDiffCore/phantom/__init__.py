"""The digital heart: a toy world with known truth. A digital phantom, never a patient."""
