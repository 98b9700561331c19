"""Record batches of one schema, for consumers of Arrow streams; needs pyarrow."""
