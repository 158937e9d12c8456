"""The subcommands, one module each: options in, the core called, the result handed on."""
