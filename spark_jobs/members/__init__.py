"""Who was insured when, by the insurer's own files."""
