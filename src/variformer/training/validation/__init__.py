"""What follows from a validation: which weights it scores, which value counts, and when training stops."""
