"""The option groups that commands share, and what each stands for."""
