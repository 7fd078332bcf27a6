"""Networks and conditioning. They know no schedule."""
