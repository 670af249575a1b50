"""Writers of assessment results."""
