"""The parts of the masked secure sum: who masks with whom, streams, shares of secrets, and both sides of a round."""
