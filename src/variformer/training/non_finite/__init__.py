"""What happens at a loss, a gradient or a state that is not finite, and where it came from."""
