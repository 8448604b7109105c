"""HTTP in, HTTP out: no rule of the business lives here."""
