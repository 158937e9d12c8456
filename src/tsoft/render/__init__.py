"""What a person looks at: tables and charts, as text."""
