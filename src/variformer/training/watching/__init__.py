"""What a run shows of itself while it trains: curves, bars, speed, samples and profiles."""
