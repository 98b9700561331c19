"""The compared calls: small functions that each library's interpreter runs on its own copy of the data."""
