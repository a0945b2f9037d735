"""What `variformer help` says of keys, groups and options."""
