"""How trained models come in and go out: loading, importing and exporting them, and what is written beside them."""
