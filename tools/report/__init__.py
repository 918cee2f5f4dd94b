"""Everything that is made from a verdict: tables, pages, badges, JUnit."""
