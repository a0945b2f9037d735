"""How the largest micro batch is found that fits into memory."""
