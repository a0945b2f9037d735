"""What does a key mean?

- `comments`: what conf/ says of its files and keys.
- `overview`: the text of `variformer train --help`.
- `keys`: the text of `variformer help KEY`.
"""
