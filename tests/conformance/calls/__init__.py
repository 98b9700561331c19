"""What is called: small functions, written once, run by the interpreter of each library against its own copy of the data."""
