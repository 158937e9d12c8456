"""The characters of random texts."""

# All up to U+02FF, all spaces and marks of U+2000 to U+206F, and some of all others. Hypothesis itself would first
# compute a table of all characters, which takes as long as hundreds of tests.
CHARACTERS = "".join(
    map(
        chr,
        [
            *range(0x300),
            *range(0x300, 0x2000, 31),
            *range(0x2000, 0x2070),
            *range(0x2070, 0xD800, 127),
            *range(0xE000, 0x110000, 997),
        ],
    )
)
