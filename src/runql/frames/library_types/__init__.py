"""Types of pandas, polars and pyarrow for signatures, also where a checker does not find the library."""
